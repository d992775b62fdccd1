# onnxrun.  `make` builds build/onnxrun, build/libonnxrun.a and build/libonnxrun.so; `make help` lists
# the rest.  V=1 shows the commands.  Objects live in build/<hash of compiler and flags>, so that
# sanitizer and release objects never mix.

CC      ?= gcc
OPT     ?= -O3 -g
SAN     ?=
AR      ?= ar
PKG     ?= pkg-config
PREFIX  ?= /usr/local
V       ?= 0

# -ffp-contract=off: the same bits from every compiler and level; where fma is wanted, fma is written.
WARN    = -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wstrict-prototypes -Wno-missing-field-initializers
BASE    = -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -ffp-contract=off -fno-math-errno \
          -fno-trapping-math -pthread -I. -Iinclude
LIBS    = -lm -lpthread -ldl

# Libraries: protobuf-c is required, the others add what they name.
NEED    = libprotobuf-c
MAYBE   = zlib libpcre2-8 libutf8proc libjpeg libpng libtiff-4 libwebp libopenjp2
HAVE    := $(foreach p,$(MAYBE),$(if $(shell $(PKG) --exists $(p) && echo y),$(p)))
have    = -DOX_HAVE_$(shell echo $(1) | tr 'a-z.-' 'A-Z__')
PKGFLAGS := $(foreach p,$(HAVE),$(call have,$(p))) $(shell $(PKG) --cflags $(NEED) $(HAVE))
PKGLIBS  := $(shell $(PKG) --libs $(NEED) $(HAVE))

ARCH    := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
FLAGS   = $(BASE) $(WARN) $(OPT) $(SAN) $(PKGFLAGS) $(CFLAGS)
HASH    := $(shell echo '$(CC) $(FLAGS) $(LDFLAGS)' | cksum | cut -d' ' -f1)
B       := build/$(HASH)
VERSION := 0.1.0

ISA_sse42      = -msse4.2 -mpopcnt
ISA_avx2       = -mavx2 -mfma -mf16c -mbmi2
ISA_avx512     = $(ISA_avx2) -mavx512f -mavx512bw -mavx512cd -mavx512dq -mavx512vl
ISA_avx512vnni = $(ISA_avx512) -mavx512vnni
ISA_avx512bf16 = $(ISA_avx512) -mavx512bf16
ISA_neon       =
ISA_dotprod    = -march=armv8.2-a+dotprod
ifeq ($(ARCH),x86_64)
LEVELS = sse42 avx2 avx512 avx512vnni avx512bf16
AGAIN  = avx2 avx512
else ifeq ($(ARCH),aarch64)
LEVELS = neon dotprod
endif
ISA_FILES = $(foreach l,sse42 avx2 avx512 avx512vnni avx512bf16 neon dotprod,%/$(l).c)

SRC     := $(wildcard runtime/*.c runtime/*/*.c verify/*.c proto/*.c kernels/*.c kernels/*/*.c)
SRC     := $(filter-out $(ISA_FILES),$(SRC))
ISA_SRC := $(foreach l,$(LEVELS),$(wildcard kernels/*/$(l).c))
SCALAR  := $(wildcard kernels/*/scalar.c)
CLI     := $(wildcard cli/*.c)
UNIT    := $(wildcard tests/unit/*.c)
KCHECK  := $(wildcard tests/kerncheck/*.c)
ACCURACY := $(wildcard tests/accuracy/*.c)
obj     = $(patsubst %.c,$(B)/%.o,$(1))
LIB_OBJ := $(call obj,$(SRC) $(ISA_SRC)) $(foreach l,$(AGAIN),$(SCALAR:%.c=$(B)/%.$(l).o)) $(B)/gen/onnx.pb-c.o
PBH     := $(B)/gen/onnx.pb-c.h

quiet   = $(if $(filter 1,$(V)),,@echo "  $(1) $(patsubst $(B)/%,%,$(2))";)
cc      = $(call quiet,CC,$<)mkdir -p $(@D) && $(CC) -I$(B)/gen $(FLAGS) -DOX_VERSION='"$(VERSION)"' $(1) -MMD -MP -c -o $@ $<

all: build/onnxrun build/libonnxrun.a build/libonnxrun.so
help:
	@sed -n 's/^\([a-z-]*\):.*## */  \1: /p' Makefile

$(B)/gen/onnx.pb-c.c $(PBH) &: proto/onnx.proto
	$(call quiet,PROTOC,$<)mkdir -p $(B)/gen && protoc-c --proto_path=proto --c_out=$(B)/gen onnx.proto
$(B)/gen/onnx.pb-c.o: $(B)/gen/onnx.pb-c.c ; $(call cc,-w)
$(B)/%.o: %.c $(PBH) ; $(call cc)
define isa_rules
$(B)/%/$(1).o: %/$(1).c ; $$(call cc,$(ISA_$(1)))
$(B)/%/scalar.$(1).o: %/scalar.c ; $$(call cc,$(ISA_$(1)) -DISA=$(1))
endef
$(foreach l,$(LEVELS),$(eval $(call isa_rules,$(l))))

$(B)/libonnxrun.a: $(LIB_OBJ) ; $(call quiet,AR,$@)rm -f $@ && $(AR) rcs $@ $^
$(B)/libonnxrun.so: $(LIB_OBJ) ; $(call quiet,LD,$@)$(CC) -shared $(SAN) $(LDFLAGS) -Wl,-soname,libonnxrun.so.0 -o $@ $^ -Wl,--as-needed $(PKGLIBS) $(LIBS)
$(B)/onnxrun: $(call obj,$(CLI)) $(B)/libonnxrun.a ; $(call quiet,LD,$@)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -Wl,--as-needed $(PKGLIBS) $(LIBS)
build/%: $(B)/% ; @ln -sf $(HASH)/$* $@

# Check finds its suites here: every tests/unit/test_<module>.c defines suite_<module>().
$(B)/gen/suites.def: $(UNIT)
	@mkdir -p $(@D) && { $(patsubst tests/unit/test_%.c,echo 'SUITE(%)';,$(filter tests/unit/test_%.c,$(UNIT))) } > $@
$(B)/tests/unit/main.o: $(B)/gen/suites.def
$(B)/unit: $(call obj,$(UNIT)) $(B)/libonnxrun.a ; $(call quiet,LD,$@)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(shell $(PKG) --libs check) -Wl,--as-needed $(PKGLIBS) $(LIBS)
$(B)/kerncheck: $(call obj,$(KCHECK)) $(B)/libonnxrun.a ; $(call quiet,LD,$@)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -Wl,--as-needed $(PKGLIBS) $(LIBS)
$(B)/accuracy: $(call obj,$(ACCURACY)) $(B)/libonnxrun.a ; $(call quiet,LD,$@)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LIBS)
FUZZ_SAN = -fsanitize=address,undefined -fno-sanitize-recover=undefined
$(B)/fuzz_load: $(call obj,tests/fuzz/fuzz_load.c) $(B)/libonnxrun.a ; $(call quiet,LD,$@)$(CC) -fsanitize=fuzzer $(SAN) -o $@ $^ -Wl,--as-needed $(PKGLIBS) $(LIBS)
fuzz: ## builds build/fuzz_load with clang: build/fuzz_load NEW_FOLDER tests/fuzz/corpus/load
	@$(MAKE) CC=clang OPT='-O1 -g' SAN='-fsanitize=fuzzer-no-link $(FUZZ_SAN)' build/fuzz_load
unit: build/unit ## unit tests
	build/unit
kerncheck: build/kerncheck ## every micro-kernel against the float64 oracle
	build/kerncheck
accuracy: build/accuracy ## maximum error of the elementary functions over all floats (takes an hour)
	build/accuracy
accuracy-quick: build/accuracy ## the same for every 4093rd float (seconds)
	build/accuracy --stride=4093

clean: ; rm -rf build
.PHONY: all help unit fuzz kerncheck accuracy accuracy-quick clean
-include $(shell find $(B) -name '*.d' 2>/dev/null)
