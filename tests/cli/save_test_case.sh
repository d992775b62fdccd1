onnxrun data/seq.onnx data/x2.npy --format test-case -o case
ls case
onnxrun data/seq.onnx data/x2.npy -o out.npz
onnxrun data/chain.onnx data/x2.npy --format test-case
onnxrun data/chain.onnx data/cases/case_good/test_data_set_0
d=data/cases/case_good
onnxrun check $d/model.onnx $d/test_data_set_0 --expect $d/test_data_set_0
onnxrun check data/seq.onnx data/x2.npy --expect case
onnxrun data/chain.onnx data/cases/case_good/test_data_set_0/input_0.pb
