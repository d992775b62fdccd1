onnxrun test data/cases --json report.json
s=$?
grep -o '"case":"[^"]*","result":"[a-z]*"' report.json
exit $s
