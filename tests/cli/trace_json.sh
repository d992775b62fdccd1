onnxrun trace data/chain.onnx data/x2.npy --against data/chain_bad.npz --json --no-explain
