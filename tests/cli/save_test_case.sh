onnxrun data/seq.onnx data/x2.npy --format test-case -o case
ls case
onnxrun data/seq.onnx data/x2.npy -o out.npz
onnxrun data/chain.onnx data/x2.npy --format test-case
onnxrun check data/chain.onnx data/cases/case_good/test_data_set_0 --expect data/x3.npy
onnxrun data/chain.onnx data/cases/case_good/test_data_set_0/input_0.pb
