"""A bounded run of each fuzz target of tests/fuzz with clang's libFuzzer: the same inputs every time.

FUZZ_RUNS sets how many (200,000); the seed is fixed, so a finding repeats. Corpora are not kept: what a
target finds becomes a unit test or a play.
"""
import glob
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build", "fuzz")
RUNS = os.environ.get("FUZZ_RUNS", "200000")


# Heads end with an empty line, not with a NUL: strict_string_checks of the other suites is too strict.
ENVIRONMENT = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1"}


def run(*command):
    return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, text=True, errors="replace", stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


def main():
    targets = sorted(os.path.basename(p)[:-2] for p in glob.glob(os.path.join(ROOT, "tests/fuzz/*.c")))
    os.makedirs(BUILD, exist_ok=True)
    for command in (["cmake", "-S", ROOT, "-B", BUILD, "-DCMAKE_C_COMPILER=clang", "-DCB_FUZZ=ON",
                     "-DCMAKE_BUILD_TYPE=RelWithDebInfo"],
                    ["cmake", "--build", BUILD, "-j2", "--target", *targets]):
        done = run(*command)
        if done.returncode:
            print(done.stdout[-3000:])
            print("FAIL the fuzz targets do not build")
            return 1
    bad = 0
    for target in targets:
        done = run(os.path.join(BUILD, "tests", target), "-runs=" + RUNS, "-seed=1", "-max_len=2000",
                   "-print_final_stats=0", "-artifact_prefix=%s/" % BUILD)
        if done.returncode:
            print(done.stdout[-4000:])
        print(("FAIL %s: see above; the input is in build/fuzz" if done.returncode
               else "ok   %s, " + RUNS + " inputs") % target)
        bad += done.returncode != 0
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
