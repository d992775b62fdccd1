onnxrun ops Identity --check
echo $?
onnxrun ops --check | tail -1
