onnxrun data/chain.onnx data/x2.npy --outputs mid
onnxrun data/chain.onnx data/x2.npy --outputs y,mid -o out.npz
onnxrun data/chain.onnx data/x2.npy --outputs all
onnxrun data/chain.onnx data/x2.npy --outputs nothing
