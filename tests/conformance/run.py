#!/usr/bin/env python3
"""Run the ONNX conformance suite with onnxrun and print a table beside the recorded scores of others.

    run.py PROGRAM TREE [--newest] [-- OPTIONS OF onnxrun test]

TREE is what fetch.py made.  Every sound case must pass; the defective ones (cases.tsv, defective.txt) must
end without a crash.  The last line is `N passed, N failed`.
"""
import argparse
import collections
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
MOST = 40  # failures that are listed


def read_cases():
    rows = [line.split("\t") for line in (HERE / "cases.tsv").read_text().splitlines() if not line.startswith("#")]
    return {r[0]: {"sound": r[1] == "sound", "ort": r[3] == "yes", "ref": r[4] == "yes"} for r in rows}


def run(program, tree, options):
    """case id -> (verdict, detail)"""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        subprocess.run([program, "test", tree, "--json", report.name, *options], stdout=subprocess.DEVNULL, check=False)
        cases = json.load(open(report.name))["cases"]
    return {str(Path(c["case"]).relative_to(tree)): (c["result"], c["reason"] or "") for c in cases}


def print_table(cases, results):
    table = collections.defaultdict(lambda: [0, 0, 0, 0])
    for case_id, case in cases.items():
        if not case["sound"]:
            continue
        for key in (case_id.split("/")[0], "all sound cases"):
            row = table[key]
            row[0] += 1
            row[1] += results.get(case_id, ("",))[0] == "passed"
            row[2] += case["ort"]
            row[3] += case["ref"]
    print(f"{'suite':28}{'cases':>8}{'onnxrun':>9}{'ORT 1.32':>10}{'reference':>11}")
    opset = lambda k: int(k.rpartition("-opset")[2]) if "-opset" in k else 999  # without: the newest
    for key in sorted(table, key=lambda k: (k == "all sound cases", k.partition("-opset")[0], opset(k))):
        print(f"{key:28}" + "".join(f"{n:>{w}}" for n, w in zip(table[key], (8, 9, 10, 11))))


def main():
    argv, options = sys.argv[1:], []
    if "--" in argv:
        options = argv[argv.index("--") + 1:]
        argv = argv[:argv.index("--")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--newest", action="store_true", help="only the newest operator cases and the light networks")
    args = parser.parse_args(argv)
    cases = read_cases()
    if args.newest:
        cases = {i: c for i, c in cases.items() if i.split("/")[0] in ("node", "light")}
    results = run(args.program, args.tree, options)
    print_table(cases, results)
    failed = 0
    for case_id, case in cases.items():
        verdict, reason = results.get(case_id, ("missing", "not in the tree"))
        crashed = verdict in ("missing", "crash") or "signal" in reason or "crash" in reason
        if (case["sound"] and verdict != "passed") or (not case["sound"] and crashed):
            failed += 1
            if failed <= MOST:
                print(f"{case_id}: {verdict}: {reason[:160]}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
