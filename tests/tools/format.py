"""clang-format has nothing to change in src/ and tests/."""
import glob
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main():
    files = [p for pattern in ("src/**/*.[ch]", "tests/**/*.[ch]")
             for p in glob.glob(os.path.join(ROOT, pattern), recursive=True) if "node_modules" not in p]
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    bad = sorted({os.path.relpath(line.split(":")[0], ROOT) for line in done.stdout.split("\n")
                  if "error:" in line})
    for name in bad:
        print("FAIL %s: run clang-format -i on it" % name)
    if not bad:
        print("ok   %d files are formatted" % len(files))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
