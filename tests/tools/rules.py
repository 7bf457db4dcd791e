"""Which rule of OCPP.md sections 1-10 is held by which test, and which by none.

A play holds the rules that its `# holds:` line names; a unit test, those that a comment
`/* holds: X3 X9 */` names. Every rule below must be held by a play. `--list` prints the table.
"""
import collections
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RULES = [letter + str(n) for letter, last in
         (("T", 15), ("R", 13), ("B", 11), ("A", 7), ("X", 16), ("V", 7), ("N", 6), ("C", 10), ("P", 5), ("W", 4))
         for n in range(1, last + 1)]
# Not the server's to hold, each with its reason.
ELSEWHERE = {}
HOLDS = re.compile(r"holds:\s*((?:[TRBAXVNCPW]\d+[ ,]*)+)")


def held():
    by = collections.defaultdict(lambda: ([], []))
    for kind, pattern in enumerate(("tests/wire/*.ocpp", "tests/unit/**/test_*.c")):
        for path in sorted(glob.glob(os.path.join(ROOT, pattern), recursive=True)):
            with open(path) as f:
                for found in HOLDS.findall(f.read()):
                    for rule in re.findall(r"[TRBAXVNCPW]\d+", found):
                        by[rule][kind].append(os.path.relpath(path, os.path.join(ROOT, "tests")))
    return by


def main():
    by, bad = held(), []
    for rule in RULES:
        plays, units = by[rule]
        if "--list" in sys.argv:
            names = sorted(set(plays)) + sorted(set(units))
            print("%-4s %s" % (rule, ", ".join(names) or ELSEWHERE.get(rule, "held by NONE")))
        if not plays and rule not in ELSEWHERE:
            bad.append("rule %s is held by no play of tests/wire" % rule)
    for line in bad:
        print("FAIL " + line)
    if not bad:
        print("ok   each of the %d rules is held by a play" % len(RULES))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
