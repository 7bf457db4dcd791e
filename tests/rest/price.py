#!/usr/bin/python3
"""Prices as the REST API shows them: transactions, history, CSV, active with cost, decisions, live events;
an estimate whose real stop comes later; a price handler that fails.

Every answer is judged against the OpenAPI document by the harness.
"""
import asyncio
import json
import os
import shutil
import sys
import tempfile
import threading
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from harness import KEY, Charger, Server  # noqa: E402

POLICY = """
function on.authorize() return "Accepted" end
function on.price(tx)
  if tx.idTag == "BROKEN" then return { currency = "EUR", energy = tx.nonsense } end
  if tx.idTag == "YEN" then return { currency = "JPY", lines = {
    { name = "energy", amount = 12.5, quantity = tx.kwh, unit = "kWh", unit_price = 5 } } } end
  return { currency = "EUR", start = 0.35, energy = tx.kwh * 0.285, tariff = "2026-10", why = "by day" }
end
function on.stop(tx) store.set("seen-" .. tx.id, tx.price and tx.price.text or "none") end
"""
PRICE = {"currency": "EUR", "total": 320, "digits": 2, "text": "3.20 EUR",
         "lines": [{"name": "energy", "amount": 285}, {"name": "start", "amount": 35}],
         "tariff": "2026-10", "generation": 1, "file": "40-tariff.lua", "line": 3}


class Listener:
    """GET /events in a thread; what it heard, by name."""

    def __init__(self, server, types):
        request = urllib.request.Request("http://127.0.0.1:%d/api/v1/events?types=%s" % (server.rest_port, types))
        request.add_header("X-API-Key", KEY)
        self.answer = urllib.request.urlopen(request, timeout=harness.PATIENCE)
        self.heard, self.changed = [], threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        name = None
        try:
            for line in self.answer:
                text = line.decode().rstrip("\n")
                if text.startswith("event: "):
                    name = text[7:]
                elif text.startswith("data: "):
                    with self.changed:
                        self.heard.append((name, json.loads(text[6:])))
                        self.changed.notify_all()
        except (OSError, ValueError, AttributeError):
            pass

    def wait(self, name, fits=lambda event: True):
        """The first event of that name that fits, or None."""
        with self.changed:
            found = self.changed.wait_for(lambda: [d for n, d in self.heard if n == name and fits(d)], harness.PATIENCE)
        return found[0] if found else None


async def start(charger, connector, tag, at="00:00:00"):
    answer = await charger.call("StartTransaction", {"connectorId": connector, "idTag": tag, "meterStart": 1000,
                                                     "timestamp": "2026-03-01T%sZ" % at})
    return answer["transactionId"]


async def meter(charger, connector, number, energy_wh):
    await charger.call("MeterValues", {"connectorId": connector, "transactionId": number, "meterValue": [
        {"timestamp": "2026-03-01T00:30:00Z", "sampledValue": [{"value": str(1000 + energy_wh)}]}]})


async def stop(charger, number, energy_wh):
    await charger.call("StopTransaction", {"transactionId": number, "meterStop": 1000 + energy_wh,
                                           "timestamp": "2026-03-01T01:00:00Z"})


def get(server, path):
    status, answer = server.rest("GET", "/api/v1/" + path)
    assert status == 200, (path, status, answer)
    return answer


def flags(row):
    """Without those of a charger that tells old stories."""
    return [flag for flag in row["flags"] if flag not in ("gap", "late")]


def csv_rows(server, path):
    lines = get(server, path).split("\r\n")
    names = lines[0].split(",")
    return [dict(zip(names, line.split(","))) for line in lines[1:] if line]


async def so_far(report, server, charger, number):
    await meter(charger, 1, number, 5000)
    session = get(server, "active?cost=true")["sessions"][0]
    report.equal("active?cost=true: what it would cost now", (session["cost"]["total"], session["cost"]["text"]),
                 (178, "1.78 EUR"))
    report.check("active: without it no cost", "cost" not in get(server, "active")["sessions"][0])
    report.equal("an open transaction has no price", get(server, "transactions/%d" % number).get("price"), None)


async def at_the_end(report, server, charger):
    listener = Listener(server, "transaction_priced")
    number = await start(charger, 1, "A")
    await so_far(report, server, charger, number)
    await stop(charger, number, 10000)
    report.equal("transaction: its price", get(server, "transactions/%d" % number)["price"], PRICE)
    report.equal("transactions", get(server, "transactions")["items"][0]["price"], PRICE)
    report.equal("history", get(server, "history")["sessions"][0]["price"], PRICE)
    for path in ("transactions?format=csv", "history?format=csv"):
        row = csv_rows(server, path)[0]
        report.equal("%s: price, currency, tariff" % path, (row["price"], row["currency"], row["tariff"]),
                     ("3.20", "EUR", "2026-10"))
    decision = get(server, "decisions?event=price")["items"][0]
    report.equal("the decision: inputs", decision["inputs"], {"transaction": number, "kWh": 10, "seconds": 3600})
    report.equal("the decision", (decision["verdict"], decision["why"], decision["file"], decision["line"],
                                  decision["answer"]["total"]), ("3.20 EUR", "by day", "40-tariff.lua", 3, 320))
    heard = await asyncio.to_thread(listener.wait, "transaction_priced")
    report.equal("the live event", heard and (heard["cpid"], heard["transactionId"], heard["total"], heard["lines"]),
                 ("PRICE", number, 320, PRICE["lines"]))


async def other_currencies_and_failures(report, server, charger):
    number = await start(charger, 1, "YEN", "02:00:00")
    await stop(charger, number, 2500)
    price = get(server, "transactions/%d" % number)["price"]
    report.equal("JPY has no digits", (price["text"], price["lines"]), ("13 JPY", [
        {"name": "energy", "amount": 13, "quantity": 2.5, "unit": "kWh", "unit_price": 5}]))
    report.equal("and none in CSV", csv_rows(server, "history?format=csv")[0]["price"], "13")
    number = await start(charger, 1, "BROKEN", "03:00:00")
    await stop(charger, number, 2500)
    row = get(server, "transactions/%d" % number)
    report.equal("a handler that fails: kept, unpriced, flagged", (row["energy"], row.get("price"), flags(row)),
                 (2500, None, ["unpriced"]))
    decision = get(server, "decisions?event=price")["items"][0]
    report.check("and why is on record", decision["verdict"] == "unpriced" and "nonsense" in decision["why"], decision)
    row = csv_rows(server, "history?format=csv")[0]
    report.equal("an unpriced one has empty cells in CSV", (row["price"], row["currency"]), ("", ""))


async def estimates(report, server, charger):
    listener = Listener(server, "event")
    number = await start(charger, 1, "A", "04:00:00")
    await meter(charger, 1, number, 5000)
    status, row = server.rest("POST", "/api/v1/chargepoints/PRICE/transactions/%d/close" % number, {})
    report.equal("an estimate is priced when its end is answered", (status, row["price"]["total"], flags(row)),
                 (200, 178, ["estimated"]))
    await stop(charger, number, 10000)
    row = get(server, "transactions/%d" % number)
    report.equal("X15: the real stop replaces the figures, not the price",
                 (row["energy"], row["price"]["total"], flags(row)), (10000, 178, ["price_estimated"]))
    told = await asyncio.to_thread(listener.wait, "event", lambda event: event["kind"] == "price_of_estimate")
    report.equal("and an event tells of it", told and told["detail"], {"transactionId": number})


async def main(report):
    policies = tempfile.mkdtemp(prefix="chargebridge-price-")
    with open(os.path.join(policies, "40-tariff.lua"), "w") as f:
        f.write(POLICY)
    try:
        with Server(policies=policies) as server:
            charger = await Charger(server, "PRICE").connect()
            await charger.boot()
            await at_the_end(report, server, charger)
            await other_currencies_and_failures(report, server, charger)
            await estimates(report, server, charger)
            await charger.close()
    finally:
        shutil.rmtree(policies, ignore_errors=True)


if __name__ == "__main__":
    harness.run(main)
