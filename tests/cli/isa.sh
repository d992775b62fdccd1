onnxrun check data/add.onnx data/ab.npz --expect data/sum.npy --isa scalar
onnxrun data/add.onnx data/ab.npz --isa quantum
