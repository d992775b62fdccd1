onnxrun info data/dynamic.onnx --json
