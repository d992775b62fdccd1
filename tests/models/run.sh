#!/bin/sh
# Whole networks against what their frameworks computed:  run.sh PROGRAM
# The project's own super-resolution exports, and, where a folder ../shared/models lies beside the project,
# the published ones and networks from ten exporters.  Every thread count must give the same bits.
cd "$(dirname "$0")/../.." || exit 2
program=$1
passed=0 failed=0 skipped=0
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

# try NAME COMMAND ...: the command must succeed
try()
{
    name=$1
    shift
    if "$@" > "$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$name: failed"
        head -5 "$work/log"
    fi
}

# The planner's slab is within a tenth (or a page) of what is alive at once: "slab N bytes, live set at least M, ..."
slab()
{
    "$program" dump "$1" --stage plan | awk 'NR == 1 { exit !($2 <= 4096 || $2 <= 1.1 * $8) }'
}

own=models/super_resolution
levels=  # those this CPU has
for isa in scalar sse42 avx2 avx512 avx512vnni avx512bf16 neon dotprod; do
    "$program" $own/torchscript_opset13.onnx $own/input.npy --isa $isa >/dev/null 2>&1 && levels="$levels $isa"
done
super_resolution()
{
    folder=$1
    for model in "$folder"/*.onnx; do
        for isa in $levels; do
            for threads in 1 2; do
                for optimize in 0 2; do
                    try "$model -t $threads --optimize $optimize --isa $isa" "$program" check "$model" \
                        "$folder/input.npy" --expect "$folder/torch_out.npy" --rtol 0 --atol 1e-5 \
                        -t $threads --optimize $optimize --isa "$isa"
                done
            done
        done
        try "$model --precision f64" "$program" check "$model" "$folder/input.npy" --expect \
            "$folder/torch_out.npy" --rtol 0 --atol 5e-6 --precision f64
    done
    for threads in 1 2 3 8; do
        "$program" "$folder/dynamo_opset18.onnx" "$folder/input.npy" -o "$work/$threads.npy" -t $threads >/dev/null
        try "$folder: bits with $threads threads" cmp "$work/1.npy" "$work/$threads.npy"
    done
}
super_resolution $own
for model in $own/*.onnx build/conformance-newest/light/*/model.onnx; do # the latter where they were fetched
    [ -e "$model" ] && try "$model: slab" slab "$model"
done

shared=../shared/models
if [ -d $shared ]; then
    python=${PYTHON:-$(tests/venv.sh tests/conformance/requirements.txt)}
    super_resolution $shared/super_resolution
    for folder in "$shared"/*/; do
        [ -e "$folder/model.onnx" ] || continue
        try "$folder" "$python" tests/models/judge.py "$program" "$folder"
        try "$folder: slab" slab "$folder/model.onnx"
    done
else
    skipped=1
    echo "skipped: the published models (no ../shared/models)"
fi
echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
