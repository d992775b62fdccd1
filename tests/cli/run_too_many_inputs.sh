onnxrun data/add.onnx data/a.npy data/b.npy data/b.npy
onnxrun data/add.onnx a=data/a.npy a=data/b.npy
onnxrun data/add.onnx nobody=data/a.npy
