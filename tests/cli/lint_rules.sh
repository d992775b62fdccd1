# every rule fires on the model that it is about, and not on one that is nearly so
for r in $(onnxrun lint --rules | awk '{ print $2 }'); do
    [ -f "data/lint/$r.fires.onnx" ] && [ -f "data/lint/$r.quiet.onnx" ] || echo "$r: no models"
    onnxrun lint -v "data/lint/$r.fires.onnx" > fires || echo "$r: status $?"
    onnxrun lint -v "data/lint/$r.quiet.onnx" > quiet || echo "$r: status $?"
    grep -q "^[a-z]* *$r: " fires || { echo "$r does not fire"; cat fires; }
    grep -q "^[a-z]* *$r: " quiet && { echo "$r fires on the near miss"; cat quiet; }
done
for f in data/lint/*; do
    r=$(basename "$f" .onnx)
    onnxrun lint --rules | awk '{ print $2 }' | grep -qx "${r%.*}" || echo "no such rule: $f"
done
onnxrun lint --rules | wc -l
