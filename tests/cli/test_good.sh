onnxrun test data/cases/case_good
onnxrun test data/cases
