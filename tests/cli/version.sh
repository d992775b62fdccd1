onnxrun --version
