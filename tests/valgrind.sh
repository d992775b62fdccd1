#!/bin/sh
# The program under Valgrind: no invalid access, no use of undefined memory, no leak - on hostile models, on a
# network, and on a sample of the conformance cases where they have been fetched.   valgrind.sh PROGRAM
cd "$(dirname "$0")/.." || exit 2
program=$1
passed=0 failed=0
log=$(mktemp) out=$(mktemp -d) || exit 2
trap 'rm -rf "$log" "$out"' EXIT

# try STATUS NAME ARGUMENTS ...
try()
{
    expected=$1 name=$2
    shift 2
    valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect \
        "$program" "$@" > "$log" 2>&1
    status=$?
    if [ $status -eq "$expected" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$name: status $status, expected $expected"
        head -12 "$log"
    fi
}

for model in tests/bad/*.onnx; do
    try 2 "$model" run "$model" --random --max-memory 1G -o "$out/"
done
net=models/super_resolution/dynamo_opset23.onnx
for optimize in 0 2; do
    try 0 "$net --optimize $optimize" run $net --random --dim batch=1 --dim height=20 --dim width=24 -t 2 \
        --optimize $optimize -o "$out/y.npy"
done
try 0 "$net f64" run $net --random --dim batch=2 --dim height=9 --dim width=7 --precision f64
try 0 "info" info $net
try 0 "ops" ops Softmax
try 0 "diff" diff "$out/y.npy" "$out/y.npy"
tree=build/conformance-newest/node
if [ -d $tree ]; then
    try 0 "conformance sample" test $tree/test_softmax_axis_0 $tree/test_conv_* $tree/test_lstm_* \
        $tree/test_loop* $tree/test_sequence_map_* $tree/test_strnorm* $tree/test_scatter* $tree/test_resize_down*
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
