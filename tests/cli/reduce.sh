# the first wrong node becomes a test case that replays; nothing departs: nothing is written
onnxrun reduce data/chain.onnx data/x2.npy --against data/chain_bad.npz -o case/; echo "status $?"
(cd case && find . -type f | LC_ALL=C sort)
onnxrun test case
onnxrun dump case/model.onnx --stage load
onnxrun diff case/test_data_set_0/output_0.pb case/test_data_set_0/reference_0.pb | tail -1
onnxrun reduce data/chain.onnx data/x2.npy --against data/chain_bad.npz -o case; echo "status $?"
onnxrun reduce data/chain.onnx data/x2.npy --against data/chain_good.npz -o none; echo "status $?"
onnxrun reduce data/chain.onnx data/x2.npy --against oracle --node y -o second --json; echo "status $?"
onnxrun test second
onnxrun reduce data/chain.onnx data/x2.npy --against oracle --node nobody -o none; echo "status $?"
onnxrun reduce data/chain.onnx data/x2.npy --against oracle --node y -o no/such/folder; echo "status $?"
# the reference holds the end alone: the chain before it comes along
onnxrun reduce data/chain.onnx data/x2.npy --against data/chain_end.npz -o both; echo "status $?"
onnxrun test both
onnxrun reduce data/chain.onnx data/x2.npy -o full; echo "status $?"
onnxrun reduce data/chain.onnx data/x2.npy --against oracle; echo "status $?"
ls -A
