"""Files of at most 800 lines, functions of at most 80; `--list` prints the table by folder."""
import collections
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILE_MAX, FUNCTION_MAX = 800, 80
NAME = re.compile(r"([A-Za-z_]\w*)\s*\(")


def functions(lines):
    """(name, lines) of every function of a C file in the house style (braces in column one)."""
    start = None
    for number, line in enumerate(lines):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            head = next((lines[i] for i in range(start - 1, -1, -1) if lines[i][:1] not in (" ", "\n")), "")
            found = NAME.search(head)
            yield (found[1] if found else "?"), number - start + 1
            start = None


def folder_of(path):
    parts = os.path.relpath(path, ROOT).split(os.sep)
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def main():
    bad, rows = [], collections.defaultdict(lambda: [0, 0, (0, ""), (0, "")])
    paths = [p for kind in ("src/**/*.[ch]", "tests/**/*.[ch]", "tests/**/*.py", "lua/**/*.lua",
                            "policies/**/*.lua", "examples/*")
             for p in glob.glob(os.path.join(ROOT, kind), recursive=True)
             if os.path.isfile(p) and "node_modules" not in p]
    for path in sorted(paths):
        with open(path, errors="replace") as f:
            lines = f.readlines()
        name, row = os.path.relpath(path, ROOT), rows[folder_of(path)]
        row[0] += 1
        row[1] += len(lines)
        row[2] = max(row[2], (len(lines), os.path.basename(name)))
        if len(lines) > FILE_MAX:
            bad.append("%s: %d lines" % (name, len(lines)))
        for function, length in functions(lines) if name.endswith(".c") else []:
            row[3] = max(row[3], (length, function))
            if length > FUNCTION_MAX:
                bad.append("%s: %s has %d lines" % (name, function, length))
    if "--list" in sys.argv:
        for folder, (count, total, longest, function) in sorted(rows.items()):
            print("%-16s %3d files %6d lines   longest file %-22s %4d   longest function %-28s %3d" % (
                folder, count, total, longest[1], longest[0], function[1], function[0]))
    for line in bad:
        print("FAIL " + line)
    if not bad:
        print("ok   no file over %d lines, no function over %d" % (FILE_MAX, FUNCTION_MAX))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
