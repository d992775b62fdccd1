# the tolerance is too tight; the bound alone decides; several input sets
onnxrun check data/add.onnx data/a.npy data/b.npy --expect data/sum_ulp.npy --rtol 0 --atol 0; echo "status $?"
onnxrun check data/add.onnx data/a.npy data/b.npy --expect data/sum_ulp.npy --tolerance auto --strict; echo "status $?"
mkdir one two
cp data/a.npy one/input_0.npy; cp data/b.npy one/input_1.npy; cp data/sum.npy one/output_0.npy
cp data/a.npy two/input_0.npy; cp data/b.npy two/input_1.npy; cp data/far.npy two/output_0.npy
onnxrun check data/add.onnx --case one --case two; echo "status $?"
onnxrun check data/add.onnx --case three; echo "status $?"
