#!/usr/bin/python3
"""10,000 random sessions on prepaid wallets: no smallest unit appears or vanishes.

The policies of examples/public-dc run on a real server. Chargers top up, start, meter, stop, and
repeat messages as real ones do; meanwhile policies are reloaded, and the server is killed with -9
and started again on the same database. At the end, for each wallet: what was paid in = what it
holds + the prices of its sessions. Random choices are seeded (CB_SEED).
"""
import asyncio
import datetime
import os
import random
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from harness import ROOT, Charger, Server  # noqa: E402

SESSIONS = 10000
CHARGERS, WALLETS = 40, 50
KILLS, RELOADS = 6, 40
SEED = int(os.environ.get("CB_SEED", "4"))


class Site:
    """The server that comes and goes, and what was paid in."""

    def __init__(self, server):
        self.server, self.up, self.begun, self.blocked = server, asyncio.Event(), 0, 0
        self.kills, self.killing = 0, None
        self.paid = dict.fromkeys(("CAR-%d" % i for i in range(WALLETS)), 0)
        self.up.set()

    async def rest(self, method, path, body=None):
        """Asked until it is answered, as by a client that keeps its token."""
        while True:
            await self.up.wait()
            try:
                return await asyncio.to_thread(self.server.rest, method, path, body)
            except OSError:
                pass

    def begin(self):
        """One more session; some of them come with a kill or a reload."""
        self.begun += 1
        if self.begun % (SESSIONS // RELOADS) == 0:
            self.server.hangup()
        if self.begun % (SESSIONS // (KILLS + 1)) == 0 and self.kills < KILLS and self.up.is_set():
            self.kills += 1
            self.up.clear()
            self.killing = asyncio.ensure_future(self.kill())

    async def kill(self):
        await asyncio.to_thread(self.server.kill)
        await asyncio.to_thread(self.server.start)
        self.up.set()


class Car:
    """A charger with its one connector, and the messages that it repeats until they are answered."""

    def __init__(self, site, number):
        self.site, self.number, self.random = site, number, random.Random(SEED * 1000 + number)
        self.line, self.stop_asked, self.meter, self.serial = None, False, 1000 * number, 0

    def on_call(self, action, payload):
        if action == "RemoteStopTransaction":
            self.stop_asked = True
        return {"status": "Accepted"}

    async def call(self, action, payload):
        while True:
            try:
                if self.line is None or not self.line.connected:
                    await self.site.up.wait()
                    self.line = await Charger(self.site.server, "CP%d" % self.number,
                                              on_call=self.on_call).connect()
                    await self.line.boot()
                answer = await self.line.call(action, payload)
                if self.random.random() < 0.05:  # the answer was lost on its way: the same again
                    again = await self.line.call(action, payload)
                    assert again == answer or action != "StartTransaction", (answer, again)
                return answer
            except (OSError, harness.websockets.WebSocketException, asyncio.TimeoutError):
                self.line = None

    def stamp(self):
        """Each a millisecond later than the one before: two sessions never look the same."""
        self.serial += 1
        at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(milliseconds=self.serial)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    async def top_up(self, tag):
        amount = self.random.randint(1, 60000)
        token = "%d-%d" % (self.number, self.serial)
        for _ in range(self.random.choice((1, 1, 2))):
            status, answer = await self.site.rest("POST", "/wallets/%s/topup" % tag,
                                                  {"amount": amount, "token": token})
            assert status == 200, (status, answer)
        self.site.paid[tag] += amount

    async def session(self):
        tag = "CAR-%d" % self.random.randrange(WALLETS)
        self.serial += 1
        if self.random.random() < 0.25:
            await self.top_up(tag)
        self.stop_asked = False
        begun = await self.call("StartTransaction", {
            "connectorId": 1, "idTag": tag, "meterStart": self.meter, "timestamp": self.stamp()})
        if begun["idTagInfo"]["status"] != "Accepted":
            self.site.blocked += 1
        else:
            for _ in range(self.random.randint(0, 3)):
                if self.stop_asked:
                    break
                self.meter += self.random.randint(0, 9000)
                await self.call("MeterValues", {
                    "connectorId": 1, "transactionId": begun["transactionId"],
                    "meterValue": [{"timestamp": self.stamp(), "sampledValue": [
                        {"value": str(self.meter), "unit": "Wh"}]}]})
        await self.call("StopTransaction", {
            "transactionId": begun["transactionId"], "meterStop": self.meter, "timestamp": self.stamp(),
            "reason": "Local" if begun["idTagInfo"]["status"] == "Accepted" else "DeAuthorized"})

    async def live(self):
        while self.site.begun < SESSIONS:
            self.site.begin()
            await self.session()
        if self.line:
            await self.line.close()


async def all_transactions(site):
    rows, cursor = [], ""
    while True:
        _, page = await site.rest("GET", "/api/v1/transactions?limit=1000" + cursor)
        rows += page["items"]
        if not page.get("next"):
            return rows
        cursor = "&cursor=" + page["next"]


async def settled(site):
    """Every session is priced: the last ones are finished right after their answer."""
    while True:
        rows = await all_transactions(site)
        if all(row.get("price") for row in rows if "refused" not in row["flags"]):
            return rows


async def judge(site, report):
    rows = await asyncio.wait_for(settled(site), harness.PATIENCE)
    spent, count, faults = dict.fromkeys(site.paid, 0), 0, []
    for row in rows:
        if "refused" in row["flags"]:
            continue
        spent[row["idTag"]] += row["price"]["total"]
        count += 1
    for tag, paid in sorted(site.paid.items()):
        status, wallet = await site.rest("GET", "/wallets/" + tag)
        balance = wallet["balance"] if status == 200 else 0
        if paid != balance + spent[tag]:
            faults.append("%s: paid in %d, holds %d, spent %d" % (tag, paid, balance, spent[tag]))
    report.check("%d sessions, %d of them paid, %d kills, %d reloads: all wallets to the smallest unit"
                 % (len(rows), count, site.kills, RELOADS), not faults, "; ".join(faults[:10]))
    report.check("sessions were paid and refused, and nothing was lost",
                 len(rows) == site.begun and site.kills == KILLS and count > SESSIONS // 10 and site.blocked > SESSIONS // 100,
                 "%d rows, %d paid, %d blocked" % (len(rows), count, site.blocked))


async def main(report):
    policies = os.path.join(ROOT, "examples", "public-dc", "policies")
    with tempfile.TemporaryDirectory(prefix="chargebridge-wallet-") as place:
        with Server(policies=policies, directory=place) as server:
            site = Site(server)
            await asyncio.gather(*(Car(site, i).live() for i in range(CHARGERS)))
            await judge(site, report)


if __name__ == "__main__":
    harness.run(main)
