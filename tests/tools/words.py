"""Words that must not stand in the code: banned functions, promises of later work, borrowed paths."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# (what, pattern, files it is looked for in, files that may)
RULES = [
    ("a banned function", r"\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|gets|alloca|system|popen|"
                          r"rand|srand|localtime|gmtime|sleep|usleep)\s*\(", r"^src/.*\.[ch]$", r"^$"),
    ("malloc outside base", r"\b(malloc|calloc|realloc|free|strdup|strndup|asprintf)\s*\(",
     r"^src/.*\.[ch]$", r"^src/(base/\w+\.[ch]|policy/memory\.c)$"),
    ("a file opened by name outside of the rooms that own files", r"\bf?open\s*\([^)]*\"", r"^src/.*\.[ch]$",
     r"^src/(conf\w*|cli|process|policy/\w+|store/\w+|net/\w+)\.c$"),
    ("a promise of later work", r"\b(TODO|FIXME|XXX|HACK)\b", r"\.(c|h|lua|py|sh|txt|cmake)$",
     r"^tests/tools/words\.py$"),
    ("a path of somebody's machine", r"(/home/|/root/|/work/)\w", r".", r"^tests/tools/words\.py$"),
]


def files():
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                         text=True, stdout=subprocess.PIPE, check=True).stdout
    return [f for f in out.split("\n") if f and os.path.isfile(os.path.join(ROOT, f))]


def strip_comments(text):
    """Comments become blank: they may speak of what the code must not do."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)


def main():
    bad = []
    for name in files():
        with open(os.path.join(ROOT, name), errors="replace") as f:
            whole = f.read()
        code = strip_comments(whole) if name.endswith((".c", ".h")) else whole
        for what, pattern, where, allowed in RULES:
            if not re.search(where, name) or re.search(allowed, name):
                continue
            text = whole if "promise" in what else code
            for found in re.finditer(pattern, text):
                line = text.count("\n", 0, found.start()) + 1
                bad.append("%s:%d: %s: %s" % (name, line, what, found[0].strip()))
    for line in bad:
        print("FAIL " + line)
    if not bad:
        print("ok   no banned words in %d files" % len(files()))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
