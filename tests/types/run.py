#!/usr/bin/env python3
"""Runs a one-node model for every operator, version and combination of types that ONNX allows.

    run.py PROGRAM [--quick] [--only OPERATOR ...] [--keep FOLDER] [-- OPTIONS OF onnxrun test]

First the generators of tests/cases, then a recipe (recipes_*.py) for every triple that they leave.  A triple
without a case fails.  --quick: one combination of the newest version of each operator, and all combinations
of the newest version of some, by recipes alone.  The last line is `N passed, N failed`.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import coverage
import recipe

HERE = Path(__file__).resolve().parent
CASES = HERE.parent / "cases"
for name in sorted(HERE.glob("recipes_*.py")):
    __import__(name.stem)

CHUNK = 500
OPTIONS = sys.argv[sys.argv.index("--") + 1:] if "--" in sys.argv else []
NEEDS_TORCH = ("make_nn.py", "make_gradient.py")


def judge(program, folder, failures):
    """Runs a folder of cases: the number that passed."""
    report = Path(folder) / "report.json"
    subprocess.run([program, "test", folder, "--json", report, "-t", "1", *OPTIONS], stdout=subprocess.DEVNULL, check=False)
    cases = json.loads(report.read_text())["cases"]
    report.unlink()
    for c in cases:
        if c["result"] != "passed":
            failures.append(f"{os.path.relpath(c['case'], folder)}: {c['result']}: {c['reason'] or ''}"[:300])
    return sum(c["result"] == "passed" for c in cases)


def generated(program, work, failures):
    """The generators of tests/cases: passed cases, covered triples."""
    passed, covered = 0, set()
    for script in sorted(CASES.glob("make_*.py")):
        start, folder = time.time(), Path(work) / script.stem
        folder.mkdir()
        r = subprocess.run([sys.executable, script, folder], capture_output=True, text=True, check=False)
        if r.returncode != 0:
            if script.name in NEEDS_TORCH and "No module named 'torch'" in r.stderr:
                print(f"{script.stem}: skipped, needs PyTorch (recipes cover its types)")
            else:
                failures.append(f"{script.name}: {r.stderr.strip().splitlines()[-1] if r.stderr else r.returncode}")
            continue
        covered |= coverage.scan(folder)
        n = judge(program, folder, failures)
        passed += n
        print(f"{script.stem}: {n} passed, {time.time() - start:.0f} s", flush=True)
        shutil.rmtree(folder)
    return passed, covered


def write(program, triples, folder, failures):
    """Makes the recipes' cases for some triples and runs them: how many passed."""
    reason = {}
    folder.mkdir(parents=True)
    for key, (schema, types) in triples:
        try:
            with np.errstate(all="ignore"):
                reason[key] = recipe.run(schema, types, str(folder))
        except Exception as e:  # a recipe that fails is a failed triple, the others go on
            reason[key] = f"the recipe fails: {type(e).__name__}: {str(e)[:120]}"
    done = coverage.scan(folder)
    for key, _ in triples:
        why = reason[key] or (None if key in done else "no case binds these types")
        if why:
            failures.append(f"{key[0]} {key[1]}-{key[2]} {key[3]}: {why}")
    return judge(program, folder, failures) if done else 0


# Operators whose types differ most in what a kernel has to do: all combinations in the quick run.
WHOLE = ("Identity", "Constant", "Reshape", "Squeeze", "Pad", "EyeLike", "MatMul", "Gemm", "Conv", "MaxPool", "AveragePool",
         "LayerNormalization", "BatchNormalization", "Resize", "GridSample", "SplitToSequence", "OptionalHasElement",
         "QLinearMatMul", "DequantizeLinear", "LSTM", "Loop", "TreeEnsembleClassifier")


def quick(triples):
    newest, seen = {}, set()
    for key, _ in triples:
        newest[key[:2]] = max(newest.get(key[:2], 0), key[2])
    for key, value in triples:
        if key[2] != newest[key[:2]] or key[1] not in recipe.RECIPES:
            continue
        if key[1] in WHOLE or key[:2] not in seen:
            seen.add(key[:2])
            yield key, value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", help="these operators, by recipes alone")
    parser.add_argument("--keep", help="leave the recipes' cases there")
    parser.add_argument("--most", type=int, default=60, help="failures that are listed (60)")
    args = parser.parse_args(sys.argv[1:sys.argv.index("--")] if "--" in sys.argv else None)
    program, failures, passed, covered = args.program.resolve(), [], 0, set()
    work = tempfile.mkdtemp(prefix="onnxrun-types-")
    try:
        triples = [(k, v) for k, v in coverage.wanted().items() if not args.only or k[1] in args.only]
        if not args.quick and not args.only:
            passed, covered = generated(program, work, failures)
        todo = list(quick(triples)) if args.quick else [(k, v) for k, v in triples if k not in covered]
        n = 0
        for at in range(0, len(todo), CHUNK):  # files that do not live long need not reach the disk
            folder = Path(args.keep or work) / f"recipes{at // CHUNK}"
            n += write(program, todo[at:at + CHUNK], folder, failures)
            if not args.keep:
                shutil.rmtree(folder)
        passed += n
        print(f"recipes: {n} passed, for {len(todo)} of {len(triples)} triples")
    finally:
        shutil.rmtree(work)
    for f in failures[:args.most]:
        print(f)
    if len(failures) > args.most:
        print(f"... and {len(failures) - args.most} more")
    print(f"{passed} passed, {len(failures)} failed")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
