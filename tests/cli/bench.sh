onnxrun bench data/add.onnx data/ab.npz --runs 5 --profile --trace trace.json
onnxrun bench data/add.onnx --random --runs 5 -t 1 --json
grep -c '"ph":"X"' trace.json
