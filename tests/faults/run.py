#!/usr/bin/env python3
"""Does `onnxrun trace` find known conversion mistakes, and keep quiet where there is none?

  run.py PROGRAM [--quick] [--models FOLDER]... [--only CLASS,...] [--networks NAME,...] [--jobs N]
         [--limit SECONDS] [--state FOLDER] [--table FILE] [--examples] [--keep FOLDER] [-v]

Faults (faults.py) are put into sound models (networks.py and FOLDER/*/model.onnx), honest pairs come
from honest.py.  A fault counts as detected if trace calls the pair different, as located if the first
node it names makes the value that went wrong, as explained if its first explanation is the fault's.
A fault that is not detected must be below rounding: at the value that it changes, the largest change
is under 1e-4 of the value's root mean square.

Each network is a task of its own process.  What it finds is written down at once, in FOLDER of --state:
a campaign that was interrupted goes on where it stopped, as long as the program and the faults are the
same.  What a network does not reach within --limit is counted as left, and fails.
Needs numpy and onnx; with onnxruntime installed that computes the references, else we do.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import faults
import honest
import networks
import seed
import table

HERE = pathlib.Path(__file__).resolve().parent


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--quick", action="store_true", help="one fault a class, on the small networks")
    parser.add_argument("--models", action="append", default=[], help="a folder of published models")
    parser.add_argument("--only", help="classes of faults, or faults")
    parser.add_argument("--networks", help="networks")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 8), help="networks at a time")
    parser.add_argument("--limit", type=float, default=1800, help="seconds for a network")
    parser.add_argument("--state", help="a folder that remembers; without it nothing does")
    parser.add_argument("--table", help="writes the rates to this file, if nothing is left out")
    parser.add_argument("--examples", action="store_true", help="print an example of each cause")
    parser.add_argument("--keep", help="a folder for the files of the last fault of each network")
    parser.add_argument("-v", "--verbose", action="store_true")
    return parser.parse_args()


def fingerprint(program):
    """Of all that decides what a campaign finds."""
    h = hashlib.sha256()
    for path in (pathlib.Path(program), *sorted(HERE.glob("*.py"))):
        h.update(path.read_bytes())
    return h.hexdigest()[:16]


class Journal:
    """Results of one network, one JSON object a line; what was there before is not done again."""

    def __init__(self, options, name):
        self.done, self.file = {}, None
        if options.state:
            folder = pathlib.Path(options.state) / fingerprint(options.program)
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f'{name}{".quick" if options.quick else ""}.jsonl'
            if path.exists():
                self.read(path)
            self.file = open(path, "a")

    def read(self, path):
        for line in path.read_text().splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:  # cut off when the campaign was
                continue
            self.done[row["key"]] = row

    def add(self, row):
        self.done[row["key"]] = row
        if self.file:
            self.file.write(json.dumps(row) + "\n")
            self.file.flush()


def examine(options, name, model, feeds, folder):
    """All rows of one network; what is not reached in time comes as rows that say so."""
    journal, rows, start = Journal(options, name), [], time.monotonic()
    program = seed.Program(os.path.abspath(options.program))
    pair = None
    for key, work in tasks(options):
        found = [r for r in journal.done.values() if r["task"] == key]
        if any(r["status"] == "end" for r in found):
            rows += found
            continue
        if time.monotonic() - start > options.limit:
            rows.append({"key": f"{key}/left", "task": key, "network": name, "status": "left"})
            continue
        if pair is None:
            pair = seed.Pair(name, model, feeds, folder, program)
        done = {r["key"] for r in found}
        for row in work(program, pair, options, done):
            row.update(task=key, network=name)
            journal.add(row)
            found.append(row)
        end = {"key": f"{key}/end", "task": key, "network": name, "status": "end"}
        journal.add(end)
        rows += found
    rows.append({"key": "time", "task": "", "network": name, "status": "time",
                 "seconds": round(time.monotonic() - start), "runs": program.runs})
    return rows


def tasks(options):
    """(key, what gives its rows) in the order of the work."""
    for f in faults.FAULTS:
        chosen = options.only.split(",") if options.only else (f.cause,)
        if f.cause in chosen or f.name in chosen:
            yield f.name, lambda *a, f=f: seed.try_fault(*a, f)
    if not options.only:
        yield "honest", honest.try_pairs


def run_one(options, name):
    """In a process of its own."""
    model, feeds = networks.load(name, options.models)
    with tempfile.TemporaryDirectory() as work:
        return examine(options, name, model, feeds, pathlib.Path(options.keep or work) / name)


def main():
    options = parse()
    names = networks.names(options.models, options.quick)
    if options.networks:
        names = [n for n in options.networks.split(",") if n in names]
    rows, whole = [], not (options.networks or options.only or options.quick)
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        running = {pool.submit(run_one, options, n): n for n in sorted(names, key=networks.last_first)}
        for f in concurrent.futures.as_completed(running):
            try:
                found = f.result()
            except Exception as e:  # the others go on
                found = [{"key": "broken", "task": repr(e), "network": running[f], "status": "left"}]
            rows += found
            table.tell(running[f], found, options.verbose)
    passed = table.report(rows, names)
    if options.table and whole:
        table.write(options.table, rows, names)
    sys.exit(not passed)


if __name__ == "__main__":
    main()
