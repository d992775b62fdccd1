onnxrun info bad/unknown_operators.onnx
onnxrun info bad/unknown_operators.onnx --json
