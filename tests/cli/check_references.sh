onnxrun check data/names.onnx data/x2.npy --expect data/x2.npy data/x2.npy
onnxrun check data/names.onnx data/x2.npy --expect data/x2.npy
onnxrun check data/names.onnx data/x2.npy --expect a/b:0=data/x2.npy
onnxrun check data/chain.onnx data/x2.npy --expect mid=data/x2.npy
onnxrun check data/chain.onnx data/x2.npy --expect nobody=data/x2.npy
onnxrun check data/chain.onnx data/x2.npy
onnxrun check data/chain.onnx data/x2.npy --expect data/ab.npz
