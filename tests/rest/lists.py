#!/usr/bin/python3
"""Lists out and in: history, transactions, meter values and tags as CSV page by page, messages as JSON
lines, formulas defused; tags imported all or none, each fault with its row and field."""
import csv
import io
import json
import os
import sys
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402

SESSIONS = 450  # more than two pages


def fetch(server, path, body=None, kind=None):
    """(status, content type, text)"""
    request = urllib.request.Request("http://127.0.0.1:%d%s" % (server.rest_port, path),
                                     body.encode() if body is not None else None)
    request.add_header("X-API-Key", harness.KEY)
    if kind:
        request.add_header("Content-Type", kind)
    return server._fetch(request)


def table(server, path):
    status, kind, text = fetch(server, path)
    assert (status, kind.split(";")[0]) == (200, "text/csv"), (path, status, kind, text[:200])
    return list(csv.DictReader(io.StringIO(text)))


async def sessions(charger):
    for n in range(SESSIONS):
        at = "2026-05-%02dT%02d:%02d:00Z" % (1 + n // 1440, n // 60 % 24, n % 60)
        start = await charger.call("StartTransaction", {"connectorId": 1, "idTag": "=1+1", "meterStart": 10 * n,
                                                        "timestamp": at})
        if n == 0:
            await charger.call("MeterValues", {"connectorId": 1, "transactionId": start["transactionId"], "meterValue": [
                {"timestamp": "2026-05-01T00:00:%02dZ" % s, "sampledValue": [{"value": str(s // 10)}]}
                for s in range(1, 60)]})
        await charger.call("StopTransaction", {"transactionId": start["transactionId"], "meterStop": 10 * n + 5,
                                               "timestamp": at})


def lists_out(report, server):
    expected = [str(n) for n in range(SESSIONS, 0, -1)]
    for path in ("/api/v1/history?format=csv", "/api/v1/transactions?format=csv"):
        rows = table(server, path)
        report.equal("%s has every session once, newest first" % path, [r["transactionId"] for r in rows], expected)
        report.equal("%s defuses formulas" % path, {r["idTag"] for r in rows}, {"'=1+1"})
        report.equal("%s tells the energy" % path, {r["energy"] for r in rows}, {"5"})
    first = server.rest("GET", "/api/v1/history?limit=1")[1]["sessions"]
    report.equal("JSON pages are what was asked for", [s["transactionId"] for s in first], [SESSIONS])
    report.equal("meter values as CSV", len(table(server, "/api/v1/transactions/1/meter?format=csv")), 59)
    steps = table(server, "/api/v1/transactions/1/meter?format=csv&step=10s")
    report.equal("one a step, the last of it", [r["energyWh"] for r in steps], ["0", "1", "2", "3", "4", "5"])
    status, kind, text = fetch(server, "/api/v1/messages?format=jsonl&direction=in&contains=StopTransaction")
    frames = [json.loads(line) for line in text.splitlines()]
    report.equal("messages as JSON lines", (status, kind, len(frames)), (200, "application/x-ndjson", SESSIONS))


def tags_in(report, server):
    path = "/api/v1/tags:import"
    good = [{"idTag": "A1"}, {"idTag": "B2", "status": "Blocked", "expiryDate": "2030-01-01T00:00:00Z", "maxActive": 2}]
    report.equal("a JSON list is imported", fetch(server, path, json.dumps(good), "application/json")[0], 200)
    report.equal("its first tag", server.rest("GET", "/api/v1/tags/A1")[1]["status"], "Accepted")
    second = server.rest("GET", "/api/v1/tags/b2")[1]
    report.equal("its second", (second["status"], second["expiryDate"], second["maxActive"]),
                 ("Blocked", "2030-01-01T00:00:00Z", 2))
    status, kind, text = fetch(server, "/api/v1/tags?format=csv")
    again = fetch(server, path, text, "text/csv")
    report.equal("what is given out is taken in", (again[0], json.loads(again[2])), (200, {"imported": 2}))
    report.equal("and changes nothing", fetch(server, "/api/v1/tags?format=csv")[2], text)
    bad = [{"idTag": "C3"}, {"idTag": "D4", "status": "Maybe"}, {"idTag": "x" * 21}, {"idTag": "c3"}]
    status, kind, text = fetch(server, path, json.dumps(bad), "application/json")
    faults = {e["pointer"] for e in json.loads(text)["errors"]}
    report.equal("faults are told by row and field", (status, faults), (422, {"/2/status", "/3/idTag", "/4/idTag"}))
    report.equal("and nothing was imported", server.rest("GET", "/api/v1/tags/C3")[0], 404)
    status, kind, text = fetch(server, path, 'idTag,note\r\nE5,"open\r\n', "text/csv")
    report.equal("broken CSV is told", (status, "row 1" in text), (400, True))


async def main(report):
    with harness.Server() as server:
        charger = await harness.Charger(server, "CP1").connect()
        await charger.boot()
        await sessions(charger)
        lists_out(report, server)
        tags_in(report, server)
        await charger.close()


if __name__ == "__main__":
    harness.run(main)
