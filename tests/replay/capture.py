#!/usr/bin/python3
"""Replays the capture of a real charger against the real server: every CALL, all connections.

Every one of its CALLs must get exactly one valid answer; what the database then holds must equal a
list that is computed here from the capture alone. Then the same StartTransaction and
StopTransaction messages come again with new message ids (rules X3, X9): nothing may change.
"""
import asyncio
import datetime
import json
import os
import sqlite3
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from harness import SHARED, Charger, Server  # noqa: E402

CAPTURE = "captures/gresgying-1.jsonl"
IDENTITY = "CAPTURED01"
BURST_MS = 15  # frames closer together than this go out without waiting for answers


def load():
    with open(os.path.join(SHARED, CAPTURE)) as f:
        return [json.loads(line) for line in f]


def instant(text):
    parsed = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return round(parsed.timestamp() * 1000)


def calls_of(entries):
    for entry in entries:
        if entry["direction"] == "CP>CS" and entry["frame"]:
            frame = json.loads(entry["frame"])
            if frame[0] == 2:
                yield entry, frame


def expected_transactions(entries):
    """From the capture alone: {captured id: [connector, idTag, meterStart, start, meterStop, stop,
    energy, reason]}; the id is the one that its own backend gave."""
    answers = {}
    for entry in entries:
        if entry["direction"] == "CS>CP":
            frame = json.loads(entry["frame"])
            if frame[0] == 3:
                answers[frame[1]] = frame[2]
    transactions = {}
    for _, (_, message_id, action, payload) in calls_of(entries):
        if action == "StartTransaction":
            captured = answers[message_id]["transactionId"]
            transactions[captured] = [payload["connectorId"], payload["idTag"],
                                      payload["meterStart"], instant(payload["timestamp"])]
        elif action == "StopTransaction":
            row = transactions[payload["transactionId"]]
            row += [payload["meterStop"], instant(payload["timestamp"]),
                    payload["meterStop"] - row[2], payload.get("reason", "Local")]
    return transactions, answers


class Replay:
    def __init__(self, server, entries, answers):
        self.server, self.entries, self.captured_answers = server, entries, answers
        self.ids = {}  # captured transaction id → ours
        self.results = []  # (action, answer) in order
        self.faults = []
        self.extra = []
        self.charger = None
        self.open = []

    async def settle(self):
        for action, message_id, future in self.open:
            try:
                answer = await asyncio.wait_for(future, harness.PATIENCE)
            except Exception as error:  # noqa: BLE001
                self.faults.append("%s %s: %r" % (action, message_id, error))
                continue
            self.results.append((action, answer))
            if action == "StartTransaction":
                self.ids[self.captured_answers[message_id]["transactionId"]] = answer["transactionId"]
        self.open = []

    async def frame(self, text):
        frame = json.loads(text)
        if frame[0] != 2:
            await self.charger.ws.send(text)  # an answer to a CALL that we never sent: R5
            return
        payload = frame[3]
        if "transactionId" in payload:
            await self.settle()
            payload = {**payload, "transactionId": self.ids[payload["transactionId"]]}
        future = await self.charger.send(frame[2], payload, frame[1])
        self.open.append((frame[2], frame[1], future))

    async def run(self):
        last = 0
        for entry in self.entries:
            now = instant(entry["ts"])
            if now - last > BURST_MS:
                await self.settle()
            last = now
            if entry["direction"] == "open":
                self.charger = await Charger(self.server, IDENTITY).connect()
            elif entry["direction"] == "close":
                await self.settle()
                self.extra += self.charger.extra_answers
                await self.charger.close()
            elif entry["direction"] == "CP>CS":
                await self.frame(entry["frame"])
        await self.settle()
        self.extra += self.charger.extra_answers
        await self.charger.close()


def schema_faults(results):
    import jsonschema
    validators, faults = {}, []
    for action, answer in results:
        if action not in validators:
            path = os.path.join(SHARED, "ocpp-schemas/1.6/%sResponse.json" % action)
            with open(path) as f:
                schema = json.load(f)
            validators[action] = jsonschema.Draft4Validator(schema)
        faults += ["%s: %s" % (action, e.message) for e in validators[action].iter_errors(answer)]
    return faults


def stored(server):
    db = sqlite3.connect("file:%s?mode=ro" % server.options["store__file"], uri=True)
    transactions = {row[0]: list(row[1:]) for row in db.execute(
        "SELECT id, evse, id_tag, meter_start_wh, start_ms, meter_stop_wh, stop_ms, energy_wh, reason"
        " FROM charge_transaction")}
    statuses = [list(row) for row in db.execute(
        "SELECT evse, status, error_code, ts_ms FROM status_log ORDER BY id")]
    meters = db.execute("SELECT count(*) FROM meter_value").fetchone()[0]
    db.close()
    return transactions, statuses, meters


def expected_statuses(entries):
    return [[p["connectorId"], p["status"], p["errorCode"], instant(p["timestamp"])]
            for _, (_, _, action, p) in calls_of(entries) if action == "StatusNotification"]


async def repeat_transactions(server, replay, entries):
    """The same starts and stops again, with new message ids; their answers by captured id."""
    charger = await Charger(server, IDENTITY).connect()
    wrong = []
    for _, (_, message_id, action, payload) in calls_of(entries):
        if action == "StartTransaction":
            captured = replay.captured_answers[message_id]["transactionId"]
            answer = await charger.call(action, payload)
            if answer["transactionId"] != replay.ids[captured]:
                wrong.append((captured, answer))
        elif action == "StopTransaction":
            payload = {**payload, "transactionId": replay.ids[payload["transactionId"]]}
            await (await charger.send(action, payload, str(uuid.uuid4())))
    await charger.close()
    return wrong


def current_statuses(expected):
    latest = {}
    for connector, status, _, _ in expected:
        if connector > 0:  # 0 is the controller, not a connector
            latest[connector] = status
    return latest


async def main(report):
    if harness.skip_without_shared("capture replay", CAPTURE):
        return
    entries = load()
    transactions, answers = expected_transactions(entries)
    calls = list(calls_of(entries))
    with Server() as server:
        for tag in {frame[3]["idTag"] for _, frame in calls if "idTag" in frame[3]}:
            server.rest("PUT", "/api/v1/tags/" + tag, {"status": "Accepted"})
        replay = Replay(server, entries, answers)
        await replay.run()
        report.equal("all 17 connections were replayed",
                     sum(e["direction"] == "open" for e in entries), 17)
        report.equal("524 calls were sent", len(calls), 524)
        report.equal("each call got exactly one answer", (len(replay.results), replay.faults), (524, []))
        report.equal("no answer came twice or unasked", replay.extra, [])
        report.equal("every answer is valid by its schema", schema_faults(replay.results), [])
        got, statuses, meters = stored(server)
        expected = {replay.ids[k]: v for k, v in transactions.items()}
        report.equal("transactions, energy and reasons equal the capture's", got, expected)
        report.equal("statuses equal the capture's", statuses, expected_statuses(entries))
        _, status = server.rest("GET", "/api/v1/status")
        now = {c["connectorId"]: c["status"] for c in status["connectors"]}
        report.equal("the current state is the last that was sent", now,
                     current_statuses(expected_statuses(entries)))
        wrong = await repeat_transactions(server, replay, entries)
        report.equal("repeated starts get the same ids", wrong, [])
        report.equal("repeats change nothing", stored(server)[0::2], (expected, meters))
        _, history = server.rest("GET", "/api/v1/history?limit=1000")
        report.equal("the history lists each once, newest first",
                     [s["transactionId"] for s in history["sessions"]],
                     [k for k, v in sorted(expected.items(), key=lambda i: -i[1][5])])


if __name__ == "__main__":
    harness.run(main)
