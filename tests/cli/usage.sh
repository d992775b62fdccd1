onnxrun
onnxrun --frobnicate
onnxrun run
onnxrun check data/add.onnx --expect
onnxrun diff data/a.npy
onnxrun diff data/a.npy data/a.npy data/a.npy
onnxrun data/add.onnx --threads many
onnxrun data/add.onnx -t -1
onnxrun data/add.onnx --max-memory lots
onnxrun data/add.onnx --optimize 3
onnxrun data/add.onnx --json=yes
onnxrun data/add.onnx -x
onnxrun data/gone.onnx
onnxrun data
onnxrun check data/add.onnx --rtol -1
