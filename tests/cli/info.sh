onnxrun info data/override.onnx
onnxrun info data/dynamic.onnx --dim height=4
