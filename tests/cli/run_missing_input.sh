onnxrun data/add.onnx data/a.npy -o out.npy
onnxrun data/add.onnx a=data/a.npy -o out.npy
s=$?
ls
exit $s
