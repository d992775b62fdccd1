# a limit on file sizes is a full disk that any user can make
(ulimit -f 1 && onnxrun data/dynamic.onnx --random --dim height=64 --dim image:3=64 -o out.npy)
echo $?
(ulimit -f 1 && onnxrun data/dynamic.onnx --random --dim height=64 --dim image:3=64 -o out.npz)
echo $?
(ulimit -f 1 && onnxrun data/dynamic.onnx --random --dim height=64 --dim image:3=64 -o out/)
echo $?
ls -A
