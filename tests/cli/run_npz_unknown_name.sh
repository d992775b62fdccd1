onnxrun data/add.onnx data/abc.npz -o out.npz
s=$?
ls
exit $s
