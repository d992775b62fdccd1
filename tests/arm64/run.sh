#!/bin/sh
# Runs what an arm64 build folder holds under qemu: every micro-kernel against its oracle, then the
# super-resolution network against what PyTorch computed.  Usage: run.sh BUILD_FOLDER
cd "$(dirname "$0")/../.." || exit 2
case=models/super_resolution
emulated()
{
    qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH=build/arm64/root/usr/lib/aarch64-linux-gnu -cpu max "$@"
}
passed=0 failed=0
verdict()
{
    if [ "$1" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $2"; fi
}

emulated "$1/kerncheck" --quick
verdict $? kerncheck
for model in torchscript_opset18 dynamo_opset23; do
    emulated "$1/onnxrun" check "$case/$model.onnx" "$case/input.npy" --expect "$case/torch_out.npy"
    verdict $? $model
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
