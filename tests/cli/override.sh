onnxrun data/override.onnx data/x2.npy
onnxrun data/override.onnx data/x2.npy one=data/x2.npy
onnxrun data/override.onnx data/x2.npy data/x2.npy
