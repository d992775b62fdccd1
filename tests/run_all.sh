#!/bin/sh
# Runs every part of the test suite on the programs in a build folder.  Each part ends in a line
# "N passed, N failed"; so does this, with the sums.  Usage: run_all.sh BUILD_FOLDER [PART ...]
cd "$(dirname "$0")/.." || exit 2
b=$1
shift
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
passed=0 failed=0

# A test that asks for a petabyte wants to hear "no", from sanitizers too.
ASAN_OPTIONS=allocator_may_return_null=1:${ASAN_OPTIONS:-}
TSAN_OPTIONS=allocator_may_return_null=1:${TSAN_OPTIONS:-}
UBSAN_OPTIONS=print_stacktrace=1:${UBSAN_OPTIONS:-}
export ASAN_OPTIONS TSAN_OPTIONS UBSAN_OPTIONS

# part NAME COMMAND ...: a part that ends without its line, or with a status that contradicts it, fails.
part()
{
    name=$1
    shift
    echo "== $name"
    "$@" > "$log" 2>&1
    status=$?
    cat "$log"
    set -- $(sed -n 's/^\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed$/\1 \2/p' "$log" | tail -1)
    if [ $# -ne 2 ] || { [ "$2" -eq 0 ] && [ $status -ne 0 ]; }; then
        echo "$name: ended with status $status"
        failed=$((failed + 1))
    fi
    passed=$((passed + ${1:-0}))
    failed=$((failed + ${2:-0}))
}

wanted()
{
    [ -z "$parts" ] && return 0
    case " $parts " in *" $1 "*) return 0 ;; esac
    return 1
}
parts=$*

wanted unit && part unit "$b/unit"
wanted kerncheck && [ -x "$b/kerncheck" ] && part kerncheck "$b/kerncheck"
wanted cli && part cli tests/cli/run.sh "$b/onnxrun"
wanted conformance && part conformance tests/conformance/run.sh "$b/onnxrun" newest
wanted models && part models tests/models/run.sh "$b/onnxrun"
wanted faults && part faults tests/faults/run.sh "$b/onnxrun" quick
wanted types && part types tests/types/run.sh "$b/onnxrun" --quick
wanted capture && part capture "${PYTHON:-python3}" tests/faults/capture.py "$b/onnxrun"
wanted bounds && part bounds tests/bounds/run.sh "$b/onnxrun" quick
wanted lint && part lint tests/lint/run.sh "$b/gen"
echo "== all"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
