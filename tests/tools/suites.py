"""Runs the suites of the table below, two at a time, and counts what they print.

A suite is a command that prints `ok …`, `FAIL …` and `skip …` lines (cmocka's own lines are
understood too) and exits 0 when all is well. Suites marked `alone` use both cores and run one by one
at the end. Called by tests/run, which builds first; CB_BUILD names the build folder.
"""
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("CB_BUILD", os.path.join(ROOT, "build", "test"))
PYTHON = "/usr/bin/python3"
TIMEOUT = 540  # seconds a suite may take before it is ended and counted as failed

OK = re.compile(r"^ok\s|^\[       OK \]")
BAD = re.compile(r"^FAIL\s|^\[  FAILED  \] (?!tests: )\S*[a-z]")
SKIP = re.compile(r"^skip\s|^\[  SKIPPED \] (?!\d)")
ENVIRONMENT = {
    **os.environ,
    "CB_BUILD": BUILD,
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def python(path):
    return [PYTHON, os.path.join("tests", path)]


def table():
    """(name, command, alone)"""
    suites = [("house.layers", python("tools/layers.py"), False),
              ("house.words", python("tools/words.py"), False),
              ("house.sizes", python("tools/sizes.py"), False),
              ("house.format", python("tools/format.py"), False),
              ("house.generated", python("tools/generated.py"), False),
              ("house.clang", python("tools/clang.py"), False),
              ("fuzz", python("tools/fuzz.py"), False)]
    for program in sorted(glob.glob(os.path.join(BUILD, "tests", "*_test_*"))):
        if os.access(program, os.X_OK) and not os.path.isdir(program):
            room, module = os.path.basename(program).split("_test_", 1)
            suites.append(("unit.%s.%s" % (room, module), [os.path.relpath(program, ROOT)], False))
    plays = sorted(glob.glob(os.path.join(ROOT, "tests", "wire", "*.ocpp")))
    if plays:
        runner = python("wire/run.py")
        clauses = sorted(glob.glob(os.path.join(ROOT, "tests", "reload", "*.ocpp")))
        suites += [("wire", [*runner, *(os.path.relpath(p, ROOT) for p in plays)], False),
                   ("reload.clauses", [*runner, *(os.path.relpath(p, ROOT) for p in clauses)], False)]
    suites += [("wire.rules", python("tools/rules.py"), False),
               ("policy.mutants", python("policy/mutants.py"), False),
               ("policy.replay", python("policy/replay.py"), False),
               ("policy.trust", python("policy/trust.py"), False),
               ("policy.wallet", python("policy/wallet.py"), True),
               ("site.day", python("site/day.py"), True),
               ("oca", python("oca/run.py"), False),
               ("rest.features", python("rest/features.py"), False),
               ("rest.walk", python("rest/walk.py"), False),
               ("rest.fuzz", python("rest/fuzz.py"), False),
               ("rest.lists", python("rest/lists.py"), False),
               ("rest.control", python("rest/control.py"), False),
               ("rest.records", python("rest/records.py"), False),
               ("rest.outside", python("rest/outside.py"), False),
               ("rest.price", python("rest/price.py"), False),
               ("rest.tags_cli", python("rest/tags_cli.py"), False),
               ("rest.day", python("rest/day.py"), True),
               ("rest.metrics", python("rest/metrics.py"), False),
               ("rest.readers", python("rest/readers.py"), True),
               ("replay.capture", python("replay/capture.py"), False),
               ("node.strict", python("node/third_party.py"), False),
               ("reload.first_start", python("reload/first_start.py"), False),
               ("reload.runaway", python("reload/runaway.py"), False),
               ("reload.broken", python("reload/broken.py"), True),
               ("reload.under_load", python("reload/under_load.py"), True),
               ("fault.stop", python("fault/stop.py"), False),
               ("fault.deleted", python("fault/deleted.py"), False),
               ("fault.price", python("fault/price.py"), False),
               ("fault.series", python("fault/series.py"), False),
               ("fault.promises", python("fault/promises.py"), True),
               ("fault.kill", python("fault/kill.py"), True),
               ("examples.quickstart", python("tools/quickstart.py"), False)]
    return suites


def run(suite):
    name, command, _ = suite
    begun = time.monotonic()
    try:
        done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, text=True, errors="replace",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT)
        text, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as ended:
        text = (ended.stdout or b"").decode(errors="replace") + "\nFAIL %s: took over %d s" % (name, TIMEOUT)
        code = 1
    lines = text.splitlines()
    passed = sum(bool(OK.match(line)) for line in lines)
    bad = [line for line in lines if BAD.match(line)]
    skipped = [line for line in lines if SKIP.match(line)]
    if code != 0 and not bad:
        bad = ["FAIL %s: exit status %d" % (name, code)]
    if code == 0 and not bad and passed == 0 and not skipped:
        passed = 1  # a command that judges as a whole
    return name, command, time.monotonic() - begun, passed, bad, skipped, text


def show(result, totals):
    name, command, seconds, passed, bad, skipped, text = result
    print("%-28s %4d passed %3d failed %6.1f s" % (name, passed, len(bad), seconds))
    for line in skipped:
        print("     %s" % line)
    if bad:
        os.makedirs(os.path.join(BUILD, "failed"), exist_ok=True)
        log = os.path.join(BUILD, "failed", name + ".log")
        with open(log, "w") as f:
            f.write(text)
        repeat = "CB_BUILD=%s %s" % (os.path.relpath(BUILD, ROOT), " ".join(command))
        for line in bad:
            print("     %s" % line[:600])
        print("     repeat with: %s   (whole output: %s)" % (repeat[:400], os.path.relpath(log, ROOT)))
        if os.environ.get("CI"):
            print("\n".join("     | " + line for line in text.splitlines()[-60:]))
    totals[0] += passed
    totals[1] += len(bad)
    sys.stdout.flush()


def main(words):
    suites = table()
    if "--list" in words:
        for name, command, _ in suites:
            print("%-28s %s" % (name, " ".join(command)[:120]))
        return 0
    chosen = [s for s in suites if not words or any(w in s[0] for w in words)]
    totals = [0, 0]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for result in pool.map(run, [s for s in chosen if not s[2]]):
            show(result, totals)
    for suite in chosen:
        if suite[2]:
            show(run(suite), totals)
    print("%d passed, %d failed" % tuple(totals))
    return 1 if totals[1] or not totals[0] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
