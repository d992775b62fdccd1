# the mistake is in the reference: its Add is followed by an activation that the model does not have
onnxrun trace data/chain.onnx data/x2.npy --against data/chain_act.npz; echo "status $?"
