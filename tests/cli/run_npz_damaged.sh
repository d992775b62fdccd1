onnxrun data/add.onnx data/cut.npz
onnxrun data/add.onnx data/flipped.npz
