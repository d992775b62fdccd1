# a reference by value name: the first node that departs, not the ones that inherit its error
onnxrun trace data/chain.onnx data/x2.npy --against data/chain_good.npz; echo "status $?"
onnxrun trace data/chain.onnx data/x2.npy --against data/chain_bad.npz --no-explain; echo "status $?"
onnxrun trace data/chain.onnx data/x2.npy --against oracle; echo "status $?"
onnxrun trace data/chain.onnx data/x2.npy --against data/chain.onnx; echo "status $?"
onnxrun trace data/chain.onnx data/x2.npy --determinism; echo "status $?"
onnxrun trace data/chain.onnx data/x2.npy --against data/ab.npz; echo "status $?"
onnxrun trace data/chain.onnx data/x2.npy; echo "status $?"
