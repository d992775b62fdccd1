"""What a campaign found, by class of fault and by network."""
import collections

GOALS = {"detected": 1.0, "located": 0.95, "explained": 0.85}
AT_LEAST = {"networks": 12, "faults": 300, "honest pairs": 100}


def counts(rows):
    c = collections.Counter()
    for r in rows:
        if r.get("kind") == "fault":
            c[r["status"]] += 1
            c["faults"] += r["status"] != "loud"
            c["located"] += r["located"]
            c["explained"] += r["explained"]
        elif r.get("kind") == "honest":
            c["pairs"] += 1
            c["alarms"] += r["status"] == "alarm"
            c["halves"] += r["half"]
            c["low"] += r["half"] and r["low"]
        elif r["status"] == "left":
            c["left"] += 1
        elif r["status"] == "time":
            c["seconds"] += r["seconds"]
            c["runs"] += r["runs"]
    return c


def share(c, what):
    return f'{100 * c[what] / c["found"]:.1f} %' if c["found"] else ""


def lines(groups, first, pairs):
    head = [first, "faults", "below rounding", "missed", "found", "located", "explained first"]
    yield head + (["honest pairs", "false alarms"] if pairs else [])
    for name, c in groups:
        row = [name, c["faults"], c["below"], c["missed"], c["found"], share(c, "located"), share(c, "explained")]
        yield [str(x) for x in row + ([c["pairs"], c["alarms"]] if pairs else [])]


def grouped(rows, key):
    groups = collections.defaultdict(list)
    for r in rows:
        if r.get(key):
            groups[r[key]].append(r)
    found = [(name, counts(groups[name])) for name in sorted(groups)]
    return [(n, c) for n, c in found if c["faults"] or c["pairs"]] + [("all", counts(rows))]


def tell(name, rows, verbose):
    """One network is done."""
    c = counts(rows)
    for r in rows:
        if r.get("kind") == "fault" and (verbose or r["status"] == "missed" or
                                         r["status"] == "found" and not (r["located"] and r["explained"])):
            print(f'  {name} {r["key"]} at {r["op"]}: {r["status"]}, located {r["located"]}, explained '
                  f'{r["explained"]}; {r["text"]}')
        elif r.get("kind") == "honest" and (verbose or r["status"] == "alarm"):
            print(f'  {name}: {"false alarm" if r["status"] == "alarm" else "honest"} on {r["key"]}: {r["text"]}')
        elif r["status"] == "left":
            print(f'  {name}: no time for {r["task"]}')
    print(f'{name}: {c["faults"]} faults, {c["below"]} below rounding, {c["missed"]} missed, located '
          f'{share(c, "located") or "-"}, explained {share(c, "explained") or "-"}; {c["pairs"]} honest pairs, '
          f'{c["alarms"]} false alarms; {c["left"]} left; {c["seconds"]} s', flush=True)


def rates(c):
    found = max(c["found"], 1)
    return {"detected": 1 - c["missed"] / max(c["faults"], 1), "located": c["located"] / found if c["found"] else 1,
            "explained": c["explained"] / found if c["found"] else 1}


def report(rows, names):
    """Prints the tables; whether all goals are met."""
    for first, key in (("class", "cause"), ("network", "network")):
        for row in lines(grouped(rows, key), first, key == "network"):
            print("  ".join(x.ljust(28) if i == 0 else x.rjust(15) for i, x in enumerate(row)))
        print()
    c, passed, failed = counts(rows), 0, 0
    for what, goal in GOALS.items():
        rate = rates(c)[what]
        passed, failed = passed + (rate >= goal), failed + (rate < goal)
        print(f"{what}: {100 * rate:.1f} % (at least {100 * goal:.0f} %)")
    print(f'honest pairs: {c["pairs"]}, false alarms {c["alarms"]}; low precision recognised '
          f'{c["low"]} of {c["halves"]}')
    print(f'{len(names)} networks, {c["runs"]} runs, {c["left"]} left out for lack of time')
    failed += c["missed"] + c["alarms"] + c["left"]
    print(f'{passed + c["found"] + c["pairs"] - c["alarms"]} passed, {failed} failed')
    return failed == 0


def write(path, rows, names):
    """The same as a page of documentation."""
    c = counts(rows)
    have = {"networks": len(names), "faults": c["faults"], "honest pairs": c["pairs"]}
    with open(path, "w") as f:
        f.write("# How well trace finds faults\n\nMade by `make faults`; what the columns mean is said in "
                "`tests/faults/run.py`, what the classes\nare in [verdicts.md](verdicts.md).\n\n")
        for what, n in have.items():
            f.write(f"- {what}: {n} (at least {AT_LEAST[what]})\n")
        for what, goal in GOALS.items():
            f.write(f"- {what}: {100 * rates(c)[what]:.1f} % (at least {100 * goal:.0f} %)\n")
        f.write(f'- false alarms: {c["alarms"]} (none)\n- float16 and bfloat16 references recognised as such: '
                f'{c["low"]} of {c["halves"]}\n- left out for lack of time: {c["left"]}\n')
        for first, key in (("class", "cause"), ("network", "network")):
            f.write("\n")
            for k, row in enumerate(lines(grouped(rows, key), first, key == "network")):
                f.write("| " + " | ".join(row) + " |\n")
                if k == 0:
                    f.write("|---" + "|---:" * (len(row) - 1) + "|\n")
