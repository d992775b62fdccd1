onnxrun data/chain.onnx data/x2.npy -o out.npy > /dev/full
echo $?
onnxrun --help > /dev/full
echo $?
onnxrun diff data/a.npy data/a.npy > /dev/full
echo $?
onnxrun data/chain.onnx data/x2.npy -o out.npy >&-
echo $?
ls -A
