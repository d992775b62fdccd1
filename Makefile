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
ISA_avx512vbmi = $(ISA_avx512vnni) -mavx512vbmi
ISA_avxvnni    = $(ISA_avx2) -mavxvnni
ISA_avx512bf16 = $(ISA_avx512) -mavx512bf16
ISA_neon       =
ISA_dotprod    = -march=armv8.2-a+dotprod
ifeq ($(ARCH),x86_64)
LEVELS = sse42 avx2 avxvnni avx512 avx512vnni avx512vbmi avx512bf16
AGAIN  = avx2 avx512
else ifeq ($(ARCH),aarch64)
LEVELS = neon dotprod
endif
ISA_FILES = $(foreach l,sse42 avx2 avxvnni avx512 avx512vnni avx512vbmi avx512bf16 neon dotprod,%/$(l).c)

SRC     := $(wildcard runtime/*.c runtime/*/*.c verify/*.c proto/*.c kernels/*.c kernels/*/*.c)
SRC     := $(filter-out $(ISA_FILES),$(SRC))
ISA_SRC := $(foreach l,$(LEVELS),$(wildcard kernels/*/$(l).c))
SCALAR  := $(wildcard kernels/*/scalar.c runtime/*/scalar.c)
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
	@sed -n 's/^\([a-z0-9-]*\):.*## */  \1: /p' Makefile

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
# Always relinked: the newest build of another hash must not look up to date.
build/%: $(B)/% FORCE ; @ln -sf $(HASH)/$* $@
FORCE: ;

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

lint: $(PBH) ## layering, banned functions, headers
	tests/lint/run.sh $(B)/gen
cli: $(B)/onnxrun ## command-line tests
	tests/cli/run.sh $(B)/onnxrun
check: $(B)/unit $(if $(KCHECK),$(B)/kerncheck) $(B)/onnxrun ## all tests; ONNXRUN_ISA=scalar caps the kernels
	@tests/run_all.sh $(B)
conformance: $(B)/onnxrun ## all 4,565 ONNX cases, fetched once; T='--optimize 0' passes options on
	tests/conformance/run.sh $(B)/onnxrun all $(T)
faults: $(B)/onnxrun ## known conversion mistakes: writes docs/faults.md (an hour; goes on where it stopped)
	tests/faults/run.sh $(B)/onnxrun all $(T)
conformance-types: $(B)/onnxrun ## every operator, version and combination of types that ONNX allows; T as above
	tests/types/run.sh $(B)/onnxrun -- $(T)
bounds: $(B)/onnxrun ## our results within their error bounds: all fetched cases and networks
	tests/bounds/run.sh $(B)/onnxrun all
cost: $(B)/onnxrun ## a verdict on the super-resolution network, in plain runs; T: numbers of threads
	tests/cost/run.sh $(B)/onnxrun $(T)
models: $(B)/onnxrun ## whole networks against their frameworks
	tests/models/run.sh $(B)/onnxrun
asan: ## all tests under AddressSanitizer
	@$(MAKE) check OPT='-O1 -g -fno-omit-frame-pointer' SAN='-fsanitize=address'
ubsan: ## all tests under UndefinedBehaviorSanitizer
	@$(MAKE) check OPT='-O1 -g' SAN='-fsanitize=undefined -fno-sanitize-recover=all'
tsan: ## all tests under ThreadSanitizer
	@$(MAKE) check OPT='-O1 -g' SAN='-fsanitize=thread'
check-arm64: ## NEON kernels and the reference case, cross-built, under qemu-user; no root
	@tests/arm64/libraries.sh build/arm64
	@PKG_CONFIG_LIBDIR=$(CURDIR)/build/arm64/root/usr/lib/aarch64-linux-gnu/pkgconfig \
	  PKG_CONFIG_SYSROOT_DIR=$(CURDIR)/build/arm64/root $(MAKE) CC=aarch64-linux-gnu-gcc check-emulated
check-emulated: $(B)/kerncheck $(B)/onnxrun
	tests/arm64/run.sh $(B)
bench: $(B)/onnxrun ## times us and our peers, writes bench/results.md and .svg; T=--quick for a few models
	bench/run.sh $(B)/onnxrun $(T)
bench-models: ## writes the benchmark's networks (PyTorch) to build/bench-models
	bench/models.sh
valgrind: $(B)/onnxrun ## hostile models, a network and sample cases under Valgrind
	tests/valgrind.sh $(B)/onnxrun

I = $(DESTDIR)$(PREFIX)
install: all ## under PREFIX (/usr/local), below DESTDIR
	install -d $(I)/bin $(I)/lib/pkgconfig $(I)/include $(I)/share/man/man1
	install -m 755 $(B)/onnxrun $(I)/bin/onnxrun
	install -m 644 $(B)/libonnxrun.a $(I)/lib/libonnxrun.a
	install -m 755 $(B)/libonnxrun.so $(I)/lib/libonnxrun.so.0
	ln -sf libonnxrun.so.0 $(I)/lib/libonnxrun.so
	install -m 644 include/onnxrun.h $(I)/include/onnxrun.h
	install -m 644 docs/onnxrun.1 $(I)/share/man/man1/onnxrun.1
	printf '%s\n' 'Name: onnxrun' 'Description: runs and judges ONNX models' 'Version: $(VERSION)' \
	  'Libs: -L$(PREFIX)/lib -lonnxrun' 'Libs.private: $(PKGLIBS) $(LIBS)' 'Cflags: -I$(PREFIX)/include' \
	  > $(I)/lib/pkgconfig/onnxrun.pc
uninstall:
	rm -f $(I)/bin/onnxrun $(I)/lib/libonnxrun.a $(I)/lib/libonnxrun.so $(I)/lib/libonnxrun.so.0 \
	  $(I)/include/onnxrun.h $(I)/share/man/man1/onnxrun.1 $(I)/lib/pkgconfig/onnxrun.pc

clean: ; rm -rf build
.PHONY: check-arm64 check-emulated bench bench-models
.PHONY: all help unit fuzz kerncheck accuracy accuracy-quick lint cli check conformance conformance-types bounds cost faults models asan ubsan tsan valgrind install uninstall clean FORCE
-include $(shell find $(B) -name '*.d' 2>/dev/null)
