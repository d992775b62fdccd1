#!/bin/sh
# The rules that a compiler does not check.  Usage: run.sh [folder of generated headers]
cd "$(dirname "$0")/../.." || exit 2
gen=${1:-build}
passed=0 failed=0
files=$(find cli include kernels proto runtime verify -name '*.[ch]' | LC_ALL=C sort)
library=$(find kernels proto runtime verify -name '*.[ch]' | LC_ALL=C sort)
all=$(find . -path ./build -prune -o -path ./.git -prune -o -type f \( -name '*.[ch]' -o -name '*.def' \
    -o -name '*.sh' -o -name '*.py' -o -name '*.md' -o -name '*.awk' -o -name '*.txt' -o -name '*.1' \
    -o -name Makefile -o -name setup \) -print | grep -v '^./tests/lint/run.sh$')

# rule NAME FOUND: FOUND is what breaks the rule; nothing is good.
rule()
{
    if [ -z "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'lint: %s\n%s\n' "$1" "$2" | head -20
    fi
}

headers_alone()
{
    # but for templates, and for what only files of one instruction set may include
    for h in $(grep -L 'only <isa>\.c files' $files | grep '\.h$' | grep -v '\.tmpl\.h$'); do
        ${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-psabi -I. -Iinclude -I"$gen" -fsyntax-only -x c "$h" 2>&1 |
            head -3
    done
}

cxx_header()
{
    command -v "${CXX:-c++}" > /dev/null || return
    echo '#include "onnxrun.h"' | ${CXX:-c++} -Wall -Werror -Iinclude -fsyntax-only -x c++ - 2>&1
}

rule 'who may include whom (layers.txt)' "$(awk -f tests/lint/layers.awk tests/lint/layers.txt $files)"
rule 'banned functions' "$(grep -nwE \
    '(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|gets|alloca|setjmp|longjmp)[[:space:]]*\(' $files)"
rule 'a library neither prints nor ends the process' "$(grep -nwE \
    '(abort|exit|_exit|system|popen|printf|puts|putchar)[[:space:]]*\(' $library)"
rule 'only runtime/base/log.c knows stderr' "$(grep -n 'stderr' $library | grep -v '^runtime/base/log\.[ch]:')"
rule 'no fast-math' "$(grep -nE -e '-f(fast|unsafe)-math' Makefile $files)"
rule 'no paths of one machine' "$(grep -nE '(^|[^A-Za-z0-9_.])/(work|home|root|Users)/' $all)"
rule 'unfinished business belongs into an issue' "$(grep -nwE 'TODO|FIXME|XXX' $all)"
rule 'no dead code' "$(grep -n '#if 0' $files)"
rule 'ops.def is sorted (tests/lint/sort_ops.sh sorts it)' "$(tests/lint/sort_ops.sh --check || echo kernels/ops.def)"
rule 'each header compiles alone' "$(headers_alone)"
rule 'onnxrun.h is C++ too' "$(cxx_header)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
