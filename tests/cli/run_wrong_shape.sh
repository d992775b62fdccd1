onnxrun data/chain.onnx data/x3.npy
onnxrun data/chain.onnx data/a.npy
onnxrun data/add.onnx data/a.npy data/x2.npy
onnxrun data/add.onnx data/a.npy data/plain.npy
