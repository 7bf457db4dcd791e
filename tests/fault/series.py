#!/usr/bin/python3
"""What tx:window, tx:slices and tx.idle_minutes say is the same after a kill -9 as before it.

A transaction of three hours: two of charging, one of standing still. The meter values came before
the power went; the stop comes after, and on.stop adds the slices up to its energy.
"""
import asyncio
import datetime
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from harness import Charger, Server  # noqa: E402

POLICY = """
function on.authorize() return "Accepted" end
local function series(tx)
  local list, sum = json.array(), 0
  for q in tx:slices "15m" do
    list[#list + 1] = q.energy_wh
    sum = sum + q.energy_wh
  end
  return { slices = list, sum = sum, energy = tx.energy_wh, idle = tx.idle_minutes,
           power = tx:window("power", "1d"), soc = tx:window("soc", "1d"),
           voltage = tx:window("voltage", "1d"), current = tx:window("current", "1d"),
           metered = tx:window("energy", "1d") }
end
function on.stop(tx) store.set("stopped", series(tx)) end
route("GET /test/series", function() return 200, series(transaction { cp = "CP1" }) end)
route("GET /test/stopped", function() return 200, { stopped = store.get "stopped" } end)
"""
MINUTES = 180


def stamp(begin, minutes):
    return (begin + datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def meter_value(begin, minute):
    charging = min(minute, 120)
    samples = [("Energy.Active.Import.Register", "Wh", 5000 + charging * 120),
               ("Power.Active.Import", "W", 7200 if minute <= 120 else 90),
               ("SoC", "Percent", 20 + charging // 2), ("Voltage", "V", 230.5),
               ("Current.Import", "A", 31.3 if minute <= 120 else 0.4)]
    return {"timestamp": stamp(begin, minute),
            "sampledValue": [{"measurand": m, "unit": u, "value": str(v)} for m, u, v in samples]}


async def charge(server, begin):
    """A transaction that is open when the power goes; its id."""
    charger = await Charger(server, "CP1").connect()
    await charger.boot()
    answer = await charger.call("StartTransaction", {
        "connectorId": 1, "idTag": "A", "meterStart": 5000, "timestamp": stamp(begin, 0)})
    for minute in range(1, MINUTES + 1):
        await charger.call("MeterValues", {
            "connectorId": 1, "transactionId": answer["transactionId"],
            "meterValue": [meter_value(begin, minute)]})
    return answer["transactionId"]


def judge(report, when, series):
    report.equal("%s: the slices add up" % when, series["sum"], series["energy"])
    report.equal("%s: idle" % when, series["idle"], 60)
    report.equal("%s: the energy" % when, series["energy"], 14400)


async def main(report):
    folder = tempfile.mkdtemp(prefix="chargebridge-series-")
    with open(os.path.join(folder, "10-series.lua"), "w") as f:
        f.write(POLICY)
    now = datetime.datetime.now(datetime.timezone.utc)
    begin = now.replace(microsecond=0) - datetime.timedelta(minutes=MINUTES)
    try:
        with Server(policies=folder) as server:
            number = await charge(server, begin)
            _, before = server.rest("GET", "/test/series")
            server.kill()
            server.start()
            _, after = server.rest("GET", "/test/series")
            judge(report, "before", before)
            judge(report, "after", after)
            for name in ("power", "soc", "metered", "idle"):
                report.equal("after as before: %s" % name, after[name], before[name])
            report.equal("after: slices", after["slices"][:8], before["slices"][:8])
            for name in ("voltage", "current"):  # of the last hour only
                report.equal("after: %s" % name, after[name]["last"], before[name]["last"])
            report.check("after: the last hour of the voltage", after["voltage"]["count"] >= 60,
                         after["voltage"])
            charger = await Charger(server, "CP1").connect()
            await charger.boot()
            await charger.call("StopTransaction", {
                "transactionId": number, "meterStop": 19400, "timestamp": stamp(begin, MINUTES)})
            _, answer = server.rest("GET", "/test/stopped")
            judge(report, "in on.stop", answer["stopped"])
            await charger.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    harness.run(main)
