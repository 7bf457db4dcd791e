#!/usr/bin/python3
"""Plays the OCA test cases for a central system of OCPP 1.6 with the simulator against the server.

    tests/oca/run.py [TC_003 …]      all, or those named
    tests/oca/run.py --list          which cases there are, who plays them, and which are missing
"""
import sys
import traceback

import control  # noqa: F401
import sessions  # noqa: F401
import stage

# The cases that issue 3 names.
WANTED = """001 003 004_1 004_2 005_1 007 010 011_1 011_2 012 013 014 017 018 019 021 023_1 023_2 023_3
024 026 028 030 031 032 037 039 040 042 043 044_1 044_2 044_3 045_1 045_2 046 047 048_1 048_2 048_3
048_4 049 051 052 053 054 055 056 057 059 061 064 066 067""".split()


def show():
    played = {number: (title, function) for number, title, _, function in stage.PLAYS}
    for number in WANTED:
        title, function = played.get("TC_" + number, ("NOT PLAYED", None))
        where = "%s.py %s" % (function.__module__, function.__name__) if function else ""
        print("TC_%-7s %-75s %s" % (number, title, where))


def run(report, words):
    played = [number for number, *_ in stage.PLAYS]
    report.equal("every case that is asked for has one play", sorted(played), sorted("TC_" + n for n in WANTED))
    with stage.harness.Server(rest__max_connections_per_address=0) as server:
        for tag, body in stage.TAGS.items():
            server.rest("PUT", "/api/v1/tags/" + tag, body)
        for number, title, flags, function in stage.PLAYS:
            if words and number not in words:
                continue
            try:
                with stage.Scene(server, number, flags) as scene:
                    function(scene)
                report.check("%s %s" % (number, title), True)
            except Exception as error:  # noqa: BLE001 - the next play goes on
                traceback.print_exc(file=sys.stdout)
                report.check("%s %s" % (number, title), False, error)


async def main(report):
    run(report, sys.argv[1:])


if __name__ == "__main__":
    if "--list" in sys.argv:
        show()
    else:
        stage.harness.run(main)
