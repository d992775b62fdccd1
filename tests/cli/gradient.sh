# a few of tests/cases/make_gradient.py, as it is written and optimised
onnxrun test data/gradient --optimize 0
onnxrun test data/gradient
