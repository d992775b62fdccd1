onnxrun ops Softmax
onnxrun ops NoSuchOperator
onnxrun ops | tail -1
onnxrun ops Softmax --json
