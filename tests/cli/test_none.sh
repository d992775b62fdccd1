mkdir empty
onnxrun test empty
onnxrun test nowhere
