onnxrun data/chain.onnx data/x2_f64.npy
onnxrun data/chain.onnx data/x2_f64.npy --cast
onnxrun data/ids.onnx data/x3.npy
onnxrun data/ids.onnx data/x3.npy --cast
