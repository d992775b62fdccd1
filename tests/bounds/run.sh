#!/bin/sh
# Our own float32 results never leave their error bounds, and the bounds are tight enough to matter:
#   run.sh PROGRAM quick|all
# quick: every third case of ONNX's suite, as far as `make conformance` or `make check` has fetched it, and the
# project's own network.  all: every case, and the published networks where ../shared/models lies beside.
cd "$(dirname "$0")/../.." || exit 2
program=$1 which=$2
passed=0 failed=0 skipped=0
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

result() # NAME STATUS: of a test whose words are in $work/log
{
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$1: failed"
        tail -3 "$work/log"
    fi
}

network() # MODEL INPUT ...
{
    for optimize in 0 2; do
        "$program" trace "$@" --against oracle --optimize $optimize > "$work/log" 2>&1
        result "$1 --optimize $optimize" $?
    done
}

for model in models/super_resolution/torchscript_opset13.onnx models/super_resolution/dynamo_opset18.onnx; do
    network $model models/super_resolution/input.npy
done

tree=
for candidate in build/conformance-all build/conformance-newest; do
    [ -e $candidate/ready ] && tree=$candidate && break
done
if [ -n "$tree" ]; then
    step=1
    [ "$which" = quick ] && step=3
    find -L $tree -name model.onnx | LC_ALL=C sort | awk "NR % $step == 0" | sed 's,/model.onnx$,,' > "$work/cases"
    # refusing a defective case is right; crashing on one is not
    xargs "$program" test --bounds --timeout 300 < "$work/cases" > "$work/log" 2>&1
    grep ': wrong: \|: error: crash\|: error: more than' "$work/log" && wrong=1 || wrong=0
    result "the cases of $tree" $wrong
    median=$(sed -n 's/.*median margin \([^,]*\),.*/\1/p' "$work/log")
    grep 'median margin' "$work/log"
    awk "BEGIN { exit !(${median:-0} > 1e-3) }"
    result "the bounds are tight" $?
else
    skipped=$((skipped + 1))
    echo "skipped: the cases of ONNX's suite (make conformance fetches them)"
fi

if [ "$which" = all ] && [ -d ../shared/models ]; then
    for folder in ../shared/models/*/; do
        [ -e "$folder/model.onnx" ] && network "$folder/model.onnx" "$folder"/input_*.npy
    done
elif [ "$which" = all ]; then
    skipped=$((skipped + 1))
    echo "skipped: the published networks (no ../shared/models)"
fi
echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
