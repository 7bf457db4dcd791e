"""Files that are printed from tables of the code are current: `--write` prints them anew."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.join(os.environ.get("CB_BUILD", os.path.join(ROOT, "build", "test")), "chargebridge")
FILES = [("lua/meta/chargebridge.lua", ["api"]), ("lua/API.md", ["api", "--manual"]),
         ("examples/chargebridge.conf", ["example-conf"])]


def main():
    bad = 0
    for name, words in FILES:
        done = subprocess.run([BINARY, *words], text=True, stdout=subprocess.PIPE, check=True)
        path = os.path.join(ROOT, name)
        if "--write" in sys.argv:
            with open(path, "w") as f:
                f.write(done.stdout)
        current = ""
        if os.path.exists(path):
            with open(path) as f:
                current = f.read()
        if current == done.stdout:
            print("ok   %s is current" % name)
        else:
            print("FAIL %s is not what `chargebridge %s` prints; run tests/tools/generated.py --write"
                  % (name, " ".join(words)))
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
