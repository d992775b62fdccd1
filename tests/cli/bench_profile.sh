# the profile accounts for the time, and the trace is what Chrome reads
m=$root/models/super_resolution
onnxrun bench "$m/torchscript_opset18.onnx" "$m/input.npy" --runs 5 -t 1 --profile --trace t.json --json > p.json
python3 - <<'END'
import json
p = json.load(open("p.json"))["profile"]
nodes, operators = p["nodes"], p["operators"]
print("accounts for 95 %:", 0.95 <= p["accounted"] <= 1)
print("rows:", len(nodes), len(operators), abs(sum(r["ms"] for r in nodes) - sum(r["ms"] for r in operators)) < 1e-6)
print("kernels:", all(n["kernel"] for n in nodes if n["op"].startswith("Conv")))
print("peak:", p["peak_gflops"] > 0.1 and p["peak_gb_per_s"] > 0.1, all(n["of_peak"] > 0 for n in nodes))
events = json.load(open("t.json"))["traceEvents"]
print("events:", len(events) == len(nodes), {e["name"] for e in events} == {n["node"] for n in nodes})
ends = [0] + [e["ts"] + e["dur"] for e in events]
print("in order:", all(e["ph"] == "X" and e["dur"] >= 0 and e["ts"] >= end - 1e-6 for e, end in zip(events, ends)))
END
