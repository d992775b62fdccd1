onnxrun data/names.onnx data/x2.npy -o out/
ls out
onnxrun data/names.onnx data/x2.npy -o out.npy
onnxrun data/names.onnx data/x2.npy -o out.txt
onnxrun data/names.onnx data/x2.npy -o nowhere/out.npz
onnxrun data/clash.onnx data/x2.npy -o clash/
onnxrun data/clash.onnx data/x2.npy -o clash.npz
ls
