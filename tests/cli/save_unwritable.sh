mkdir locked taken.npy
: > file
onnxrun data/chain.onnx data/x2.npy -o taken.npy/
onnxrun data/chain.onnx data/x2.npy -o file/out.npy
ln -s /proc proc
onnxrun data/chain.onnx data/x2.npy -o proc/out.npy
rm proc
ls -A . taken.npy
