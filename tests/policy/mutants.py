#!/usr/bin/python3
"""Breaks every rule of every policy once: the tests of its folder must notice.

mutants.txt lists the breaks. Each is made in a copy of the folder, which `chargebridge check` must
then refuse because a test of a policy failed (not because the file no longer loads). A policy with
fewer breaks than it has handlers, routes and timers fails here too, so a rule cannot be added
without its break.
"""
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.join(os.environ.get("CB_BUILD", os.path.join(ROOT, "build")), "chargebridge")
LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mutants.txt")
RULE = re.compile(r"^(?:function on\.|every\(|route\()", re.M)
BUDGET = "--policies.load_total=60s"  # a sanitized build is slow; the real budget is tested elsewhere


def mutants():
    """(folder, file, before, after), in order of the list."""
    folder = name = None
    found = []
    with open(LIST) as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith("== "):
                folder, name = line[3:].rsplit(" ", 1)
                continue
            before, arrow, after = line.partition("  =>  ")
            if not arrow or not name:
                raise SystemExit("mutants.txt:%d: expected `before  =>  after`" % number)
            found.append((folder, name, before.replace("\\n", "\n"), after.replace("\\n", "\n")))
    return found


def check(folder):
    done = subprocess.run([BINARY, BUDGET, "check", folder], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300)
    return done.returncode, done.stdout


def judge(mutant):
    folder, name, before, after = mutant
    with open(os.path.join(ROOT, folder, name)) as f:
        text = f.read()
    if text.count(before) != 1:
        return "%r is there %d times" % (before, text.count(before))
    with tempfile.TemporaryDirectory() as place:
        copy = os.path.join(place, "policies")
        shutil.copytree(os.path.join(ROOT, folder), copy)
        with open(os.path.join(copy, name), "w") as f:
            f.write(text.replace(before, after))
        code, output = check(copy)
    if code == 0:
        return "no test noticed %r" % after
    return None if 'test "' in output else "it does not load:\n" + output


def folders():
    return ["policies"] + sorted(os.path.relpath(p, ROOT)
                                 for p in glob.glob(os.path.join(ROOT, "examples", "*", "policies")))


def rules_without_breaks(listed):
    """(folder, file, rules, breaks) of the policies that have too few."""
    for folder in folders():
        for path in sorted(glob.glob(os.path.join(ROOT, folder, "*.lua"))):
            name = os.path.basename(path)
            with open(path) as f:
                rules = max(1, len(RULE.findall(f.read())))
            breaks = sum(1 for m in listed if m[0] == folder and m[1] == name)
            if breaks < rules:
                yield folder, name, rules, breaks


def main():
    listed = mutants()
    bad = 0

    def report(ok, name, why=""):
        nonlocal bad
        bad += not ok
        print("ok   %s" % name if ok else "FAIL %s: %s" % (name, why))
        sys.stdout.flush()

    for folder in folders():
        code, output = check(os.path.join(ROOT, folder))
        report(code == 0, "%s holds what it promises" % folder, output)
    lacking = list(rules_without_breaks(listed))
    report(not lacking, "every rule of every policy is broken once",
           "; ".join("%s/%s has %d rules and %d breaks" % row for row in lacking))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for mutant, why in zip(listed, pool.map(judge, listed)):
            report(why is None, "%s/%s: %s => %s" % tuple(" ".join(m.split()) for m in mutant), why)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
