#!/usr/bin/python3
"""The documented curl lines of the first system, exactly as written, against the server and the
simulator on their default ports (9000, 8080, 7071), in a network of their own where that is allowed.

Between two lines the test waits for what the first one set off, by the server's live events, as a person
would look at the screen.
"""
import ctypes
import fcntl
import json
import os
import re
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
import sites  # noqa: E402

CLONE_NEWNET, SIOCSIFFLAGS, IFF_UP = 0x40000000, 0x8914, 1
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$")

ACTIVE = 'curl -H "X-API-Key: changeme-123" http://localhost:8080/api/v1/active'
START = ('curl -X POST http://localhost:8080/api/v1/start -H "Content-Type: application/json" '
         '-H "X-API-Key: changeme-123" '
         '-d "{\\"cpid\\":\\"Gresgying02\\",\\"connectorId\\":%d,\\"id_tag\\":\\"VID:FCA47A147%s\\"}"')
STOP = ('curl -X POST http://localhost:8080/api/v1/stop -H "Content-Type: application/json" '
        '-H "X-API-Key: changeme-123" -d "{\\"cpid\\":\\"Gresgying02\\",\\"transactionId\\":1}"')
CHARGE_STOP = ('curl -X POST http://localhost:8080/charge/stop -H "Content-Type: application/json" '
               '-H "X-API-Key: changeme-123" -d "{\\"cpid\\":\\"Gresgying02\\",\\"connectorId\\":%d}"')
RELEASE = ('curl -X POST http://localhost:8080/api/v1/release -H "Content-Type: application/json" '
           '-H "X-API-Key: changeme-123" -d "{\\"cpid\\":\\"Gresgying02\\",\\"connectorId\\":%d}"')
PLUG, UNPLUG = "curl -X POST http://localhost:7071/plug/%d", "curl -X POST http://localhost:7071/unplug/%d"
HISTORY = 'curl -H "X-API-Key: changeme-123" http://localhost:8080/api/v1/history'
STATUS = 'curl -H "X-API-Key: changeme-123" http://localhost:8080/api/v1/status'
HEALTH = "curl http://localhost:8080/api/v1/health"
STATIONS = "curl http://localhost:8080/api/v1/stations"


def own_network():
    """A network namespace with nothing but loopback, so that the default ports are free."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def curl(line):
    """The line as a shell runs it: (status, decoded body)."""
    done = subprocess.run(["bash", "-c", line + " -sS -w '\\n%{http_code}'"], text=True, timeout=harness.PATIENCE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        raise AssertionError("%s: %s" % (line, done.stderr))
    text, status = done.stdout.rsplit("\n", 1)
    return int(status), json.loads(text)


class Walk:
    def __init__(self, report, site):
        self.report, self.site = report, site

    def line(self, line, expected, status=200):
        """Runs it; `expected` is the answer, or a function that judges it."""
        got = curl(line)
        fits = got[0] == status and (expected(got[1]) if callable(expected) else got[1] == expected)
        self.report.check(line, fits, "%d %s" % got)
        return got[1]

    def charge(self, connector, vehicle):
        """One vehicle: plugged in, started; the transaction's id."""
        self.line(PLUG % connector, {"ok": True})
        self.site.wait("status", connectorId=connector, status="Preparing")
        self.line(START % (connector, vehicle), lambda a: set(a) == {"ok", "hash", "message"} and a["ok"] is True
                  and re.fullmatch("[0-9a-f]{64}", a["hash"]) and a["message"] == "RemoteStartTransaction sent")
        started = self.site.wait("transaction_started", connectorId=connector, idTag="VID:FCA47A147" + vehicle)
        return started["transactionId"]

    def end(self, connector, transaction):
        """/charge/stop, release, unplug, health; a second stop finds nothing."""
        self.line(CHARGE_STOP % connector, {"ok": True, "transactionId": transaction,
                                            "message": "RemoteStopTransaction sent"})
        self.site.wait("transaction_stopped", transactionId=transaction)
        self.line(CHARGE_STOP % connector, lambda a: a["detail"] == "No active transaction for this connector", 404)
        self.line(RELEASE % connector, {"ok": True, "message": "UnlockConnector sent"})
        self.line(UNPLUG % connector, {"ok": True})
        self.site.wait("status", connectorId=connector, status="Available")
        self.line(HEALTH, lambda a: a["ok"] is True and TIME.match(a["time"]))


def session(connector, transaction, vehicle):
    """Judges an answer of /active that holds one session."""
    def judge(answer):
        (one,) = answer["sessions"]
        return ((one["cpid"], one["connectorId"], one["transactionId"], one["idTag"])
                == ("Gresgying02", connector, transaction, "VID:FCA47A147" + vehicle)
                and one["vehicleId"] == one["idTag"] and one["mac"] == "FCA47A147" + vehicle
                and TIME.match(one["startTime"]))
    return judge


def history_of(transaction):
    def judge(answer):
        one = answer["sessions"][0]
        return (one["transactionId"] == transaction and one["energy"] == one["meterStop"] - one["meterStart"] >= 0
                and isinstance(one["meterStart"], int) and isinstance(one["durationSecs"], int)
                and one["reason"] == "Remote" and TIME.match(one["stopTime"]))
    return judge


def nine_steps(walk):
    walk.line(ACTIVE, {"sessions": []})
    transaction = walk.charge(1, "858")
    walk.report.equal("the first transaction of a new server has the id 1", transaction, 1)
    walk.line(ACTIVE, session(1, 1, "858"))
    walk.line(STOP, lambda a: (a["ok"], a["transactionId"], a["message"]) == (True, 1, "RemoteStopTransaction sent"))
    walk.site.wait("transaction_stopped", transactionId=1)
    walk.line(ACTIVE, {"sessions": []})
    walk.line(STOP, lambda a: a["detail"] == "No matching active transaction", 404)
    walk.line(UNPLUG % 1, {"ok": True})
    walk.site.wait("status", connectorId=1, status="Available")
    walk.line(HISTORY, history_of(1))
    walk.line(STATUS, lambda a: [(c["cpid"], c["connectorId"], c["status"]) for c in a["connectors"]]
              == [("Gresgying02", 1, "Available"), ("Gresgying02", 2, "Available")])


def three_events(walk):
    for connector, vehicle in ((1, "858"), (2, "859")):
        transaction = walk.charge(connector, vehicle)
        walk.line(ACTIVE, session(connector, transaction, vehicle))
        walk.end(connector, transaction)
    both = [(1, walk.charge(1, "860")), (2, walk.charge(2, "861"))]
    walk.line(ACTIVE, lambda a: sorted((s["connectorId"], s["transactionId"]) for s in a["sessions"]) == both)
    for connector, transaction in both:
        walk.end(connector, transaction)
    walk.line(HISTORY, lambda a: [s["vehicleId"][-3:] for s in a["sessions"]].count("858") == 2
              and len(a["sessions"]) == 5)
    walk.line(STATIONS, [])


async def main(report):
    own_network()
    defaults = {"ocpp__port": 9000, "rest__port": 8080, "ocpp__address": "0.0.0.0"}
    with sites.Site(server=defaults, simulator={"control-port": 7071, "port": 9000}) as site:
        walk = Walk(report, site)
        nine_steps(walk)
        three_events(walk)


if __name__ == "__main__":
    harness.run(main)
