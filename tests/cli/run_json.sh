onnxrun data/add.onnx data/ab.npz --json
