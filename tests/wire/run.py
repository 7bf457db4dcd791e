#!/usr/bin/python3
"""Plays FILE.ocpp …, each in a folder of its own, and judges every frame that the server sent in it: valid
by the schemas of OCPP 1.6, its id its own, one CALL outstanding (tests/lib/frames.py)."""
import concurrent.futures
import glob
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import frames  # noqa: E402
import harness  # noqa: E402

PLAY = os.path.join(harness.BUILD, "tests", "play")


def perform(path):
    """(what the play printed, frames sent, faults)"""
    with tempfile.TemporaryDirectory(prefix="chargebridge-plays-") as folder:
        done = subprocess.run([PLAY, path], env={**os.environ, "TMPDIR": folder, "PLAY_KEEP": "1"}, text=True,
                              errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        sent, faults = 0, []
        for database in glob.glob(os.path.join(folder, "*", "chargebridge.db")):
            sent, faults = frames.judge_database(database)
    if done.returncode and "FAIL " not in done.stdout:
        done.stdout += "FAIL %s: exit status %d\n" % (path, done.returncode)
    return done.stdout, sent, faults


def main(paths):
    bad, total = 0, 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for path, (text, sent, faults) in zip(paths, pool.map(perform, paths)):
            print(text, end="")
            bad += "FAIL " in text
            total += sent
            for fault in faults[:3]:
                print("FAIL %s: a frame that must not be sent: %s" % (path, fault))
                bad += 1
    if frames.schema_of("Authorize") is None:
        print("skip the schemas of OCPP 1.6 are not here: the shape of %d frames was judged" % total)
    else:
        print("%s   %d frames of the server are valid" % ("FAIL" if bad else "ok", total))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
