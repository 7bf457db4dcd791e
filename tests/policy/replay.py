#!/usr/bin/python3
"""`chargebridge replay`: the diff is exactly what two folders of policies disagree about.

Two histories: one that a charger of ours has just made on a running server, and the capture of a
real charger, put into a database with its own times. What is expected is computed here.
"""
import asyncio
import datetime
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from harness import ROOT, SHARED, Charger, Server  # noqa: E402

CAPTURE = "captures/gresgying-1.jsonl"
BINARY = os.path.join(harness.BUILD, "chargebridge")
TARIFF = """function on.price(tx) return { currency = "EUR", energy = tx.kwh * %s } end\n"""
DIFFERENCE = re.compile(r"^\S+Z  (\S+)  (\w+)  (.*):  was (.*?)  now (.*?)  \(")


def folder(place, name, tariff=None, cards="", more=""):
    """The default policies with a tariff, with more cards, and with one more file."""
    path = os.path.join(place, name)
    shutil.copytree(os.path.join(ROOT, "policies"), path)
    shutil.rmtree(os.path.join(path, "tests"))
    with open(os.path.join(path, "lib", "idtags.lua"), "w") as f:
        f.write("return idtags {\n%s\n}\n" % cards)
    if tariff:
        with open(os.path.join(path, "40-tariff.lua"), "w") as f:
            f.write(TARIFF % tariff)
    if more:
        with open(os.path.join(path, "50-more.lua"), "w") as f:
            f.write(more)
    return path


def replay(database, candidate, *more):
    done = subprocess.run([BINARY, "replay", "--policies", candidate, "--from", database, *more],
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    return done.returncode, done.stdout, done.stderr


def differences(output):
    """[(cp, kind, subject, was, now)]"""
    found = []
    for line in output.splitlines():
        match = DIFFERENCE.match(line)
        if match:
            found.append(match.groups())
    return found


def euro(energy_wh, price):
    """Rounded once, half away from zero."""
    cents = (energy_wh * price + 500) // 1000
    return "%d.%02d EUR" % (cents // 100, cents % 100)


# ---- a history of our own ----

async def charge(charger, tag, kwh, start=None):
    at = "2026-01-01T12:%02d:00Z"
    begun = await charger.call("StartTransaction", {
        "connectorId": 1, "idTag": tag, "meterStart": 1000, "timestamp": at % charge.minute})
    for step in range(1, 5):
        await charger.call("MeterValues", {
            "connectorId": 1, "transactionId": begun["transactionId"],
            "meterValue": [{"timestamp": at % (charge.minute + step), "sampledValue": [
                {"value": str(1000 + kwh * 1000 * step // 4), "unit": "Wh"}]}]})
    await charger.call("StopTransaction", {
        "transactionId": begun["transactionId"], "meterStop": 1000 + kwh * 1000, "idTag": tag,
        "timestamp": at % (charge.minute + 5)})
    charge.minute += 6
    return begun["transactionId"]


charge.minute = 0


async def make_history(policies, directory):
    with Server(policies=policies, directory=directory) as server:
        charger = await Charger(server, "CP1").connect()
        await charger.boot()
        for tag in ("GOOD", "LOST", "NOBODY"):
            await charger.call("Authorize", {"idTag": tag})
        for tag, kwh in (("GOOD", 10), ("LOST", 8)):
            await charge(charger, tag, kwh)
        status, _ = await asyncio.to_thread(
            server.rest, "POST", "/api/v1/start", {"cpid": "CP1", "connectorId": 1, "idTag": "GOOD"})
        assert status == 200, status
        await charge(charger, "GOOD", 4)
        beside = await asyncio.to_thread(replay, server.options["store__file"], policies)
        await charger.close()
    return server.options["store__file"], beside


async def own_history(report, place):
    cards = '["GOOD"] = {}, ["LOST"] = {}'
    base = folder(place, "base", tariff="0.50", cards=cards)
    database, beside = await make_history(base, place)
    code, output, errors = replay(database, base)
    report.check("the same policies decide the same", code == 0 and not differences(output),
                 output + errors)
    report.check("the summary counts what was compared",
                 re.search(r"prices: 3 the same, 0 different, 0 only before, 0 only now", output), output)
    report.check("it reads beside a running server", beside[0] == 0, beside)

    blocked = '["GOOD"] = {}, ["LOST"] = { blocked = true, why = "reported lost" }'
    code, output, errors = replay(database, folder(place, "blocked", tariff="0.60", cards=blocked))
    report.equal("a blocked card and another price: exit status", code, 1)
    report.equal("a blocked card and another price: the diff", sorted(differences(output)), sorted([
        ("CP1", "decision", "authorize LOST", "Accepted", "Blocked"),
        ("CP1", "decision", "start LOST", "Accepted", "Blocked"),
        ("CP1", "price", "transaction 1", "5.00 EUR", "6.00 EUR"),
        ("CP1", "price", "transaction 2", "4.00 EUR", "0.00 EUR"),
        ("CP1", "price", "transaction 3", "2.00 EUR", "2.40 EUR")]))
    report.check("the diff names the line and its reason", "10-authorize.lua:" in output and
                 "reported lost" in output, output)

    stops = 'function on.meter(tx) if tx.kwh >= 5 then tx:stop "enough" end end'
    code, output, errors = replay(database, folder(place, "stops", tariff="0.50", cards=cards, more=stops))
    report.equal("a candidate that stops early: what it would have sent, and what it would have cost",
                 sorted(differences(output)), sorted([
                     ("CP1", "command", 'RemoteStopTransaction {"transactionId":1}', "nothing", "sent"),
                     ("CP1", "command", 'RemoteStopTransaction {"transactionId":2}', "nothing", "sent"),
                     ("CP1", "price", "transaction 1", "5.00 EUR", "2.50 EUR"),
                     ("CP1", "price", "transaction 2", "4.00 EUR", "3.00 EUR")]))

    loops = "function on.meter(tx) while true do end end"
    code, output, errors = replay(database, folder(place, "loops", tariff="0.50", cards=cards, more=loops))
    report.check("a candidate that loops is told of, and refused",
                 code == 1 and "handlers that failed:" in output and "50-more.lua:1" in output, output)

    slips = folder(place, "slips", cards=cards, more="retrun 'x'")
    code, output, errors = replay(database, slips)
    report.check("a folder with a mistake is refused with file and line",
                 code == 1 and "50-more.lua:1" in errors and "retrun" in errors, errors)
    code, output, errors = replay(database, base, "--since", "2099-01-01")
    report.check("nothing is compared before --since, and that is no success",
                 code == 1 and "0 messages" in output and "nothing was compared" in errors, output + errors)
    code, output, errors = replay(database, base, "--since", "yesterday")
    report.check("--since says what it takes", code == 2 and "2026-10-01" in errors, errors)
    code, output, errors = replay(os.path.join(place, "none.db"), base)
    report.check("a database that is not there is told of", code == 1 and "none.db" in errors, errors)
    code, output, errors = replay(os.path.join(base, "10-authorize.lua"), base)
    report.check("a file that is no database is told of", code == 1 and "database" in errors, errors)


# ---- the history of a real charger ----

def load_capture():
    with open(os.path.join(SHARED, CAPTURE)) as f:
        return [json.loads(line) for line in f]


def put_into_database(entries, path):
    connection, number = sqlite3.connect(path), 0
    for entry in entries:
        if entry["direction"] == "open":
            number += 1
        if not entry["frame"]:
            continue
        at = datetime.datetime.fromisoformat(entry["ts"].replace("Z", "+00:00"))
        connection.execute(
            "INSERT INTO message (cp, connection, ts_ms, outgoing, text) VALUES (?, ?, ?, ?, ?)",
            ("CAPTURED01", number, round(at.timestamp() * 1000), entry["direction"] == "CS>CP",
             entry["frame"]))
    connection.commit()
    connection.close()


def expected_of_capture(entries, lost):
    """What a lost card and 0.60 instead of 0.50 a kWh change, from the capture alone."""
    answers, calls, expected = {}, [], []
    for entry in entries:
        frame = json.loads(entry["frame"]) if entry["frame"] else [0]
        if frame[0] == 3 and entry["direction"] == "CS>CP":
            answers[frame[1]] = frame[2]
        elif frame[0] == 2 and entry["direction"] == "CP>CS":
            calls.append(frame)
    starts = {}
    for _, message_id, action, payload in calls:
        if action == "StartTransaction":
            starts[answers[message_id]["transactionId"]] = payload
        if payload.get("idTag") == lost and action in ("Authorize", "StartTransaction"):
            word = "authorize" if action == "Authorize" else "start"
            expected.append(("CAPTURED01", "decision", "%s %s" % (word, lost), "Accepted", "Blocked"))
    for _, _, action, payload in calls:
        if action != "StopTransaction":
            continue
        start = starts[payload["transactionId"]]
        energy = payload["meterStop"] - start["meterStart"]
        was, now = euro(energy, 50), euro(0 if start["idTag"] == lost else energy, 60)
        if was != now:
            expected.append(("CAPTURED01", "price", "transaction %d" % payload["transactionId"], was, now))
    return expected


def captured_history(report, place):
    if harness.skip_without_shared("the history of a real charger", CAPTURE):
        return
    entries = load_capture()
    lost = "VID:02A0C0000001"
    tags = sorted({json.loads(e["frame"])[3]["idTag"] for e in entries
                   if e["frame"] and '"StartTransaction"' in e["frame"]})
    good = ", ".join('["%s"] = {}' % tag for tag in tags)
    database = os.path.join(place, "captured.db")
    with Server(directory=place, store__file=database):
        pass  # makes the file
    put_into_database(entries, database)
    base = folder(place, "cap-base", tariff="0.50", cards=good)
    code, output, errors = replay(database, base, "--against", base)
    report.check("capture: the same policies decide the same", code == 0 and not differences(output),
                 output + errors)
    candidate = folder(place, "cap-candidate", tariff="0.60",
                       cards=good.replace('["%s"] = {}' % lost, '["%s"] = { blocked = true }' % lost))
    code, output, errors = replay(database, candidate, "--against", base)
    report.equal("capture: another price and a blocked card: exit status", code, 1)
    report.equal("capture: another price and a blocked card: the diff", sorted(differences(output)),
                 sorted(expected_of_capture(entries, lost)))


async def main(report):
    with tempfile.TemporaryDirectory(prefix="chargebridge-replay-") as place:
        await own_history(report, place)
        captured_history(report, place)


if __name__ == "__main__":
    harness.run(main)
