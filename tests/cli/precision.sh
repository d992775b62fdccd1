onnxrun check data/add.onnx data/ab.npz --expect data/sum.npy --precision f64
onnxrun data/add.onnx data/ab.npz --precision f64
onnxrun data/chain.onnx data/x2_f64.npy --precision f64 --cast
onnxrun data/add.onnx data/ab.npz --precision f16
