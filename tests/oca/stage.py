"""What the plays of the OCA test cases share: one server, one fresh simulated charger per play, an
operator with REST, and checks that read the charger's own log of frames.

A play is a function with @play("TC_003", "what the case is called"); it gets a Scene and fails by an
exception. run.py runs them; --list prints who plays what.
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
import sites  # noqa: E402

PLAYS = []  # (number, title, flags of the simulator, function), in the order of the files

VALID, GROUP_MATE, BLOCKED, EXPIRED, UNKNOWN = "OCA-VALID", "OCA-MATE", "OCA-BLOCKED", "OCA-EXPIRED", "OCA-NOBODY"
TAGS = {VALID: {"status": "Accepted", "parentIdTag": "OCA-GROUP", "maxActive": 1000},
        GROUP_MATE: {"status": "Accepted", "parentIdTag": "OCA-GROUP", "maxActive": 1000},
        BLOCKED: {"status": "Blocked"},
        EXPIRED: {"status": "Accepted", "expiryDate": "2020-01-01T00:00:00Z"}}


HEARD = "status,transaction_started,transaction_stopped,meter,message,decision,job_status,charge_point"


def play(number, title, **flags):
    def add(function):
        PLAYS.append((number, title, flags, function))
        return function
    return add


def same(got, expected, what=""):
    if got != expected:
        raise AssertionError("%s got %r, expected %r" % (what, got, expected))


class Scene(sites.Site):
    """One charger, named after the play, on the server of all plays."""

    def __init__(self, server, number, flags):
        self.server, self.identity = server, number
        self.ear = sites.Ear(server, cpid=number, types=HEARD)
        self.charger = sites.Simulator(server, number, **flags)
        for connector in range(3):
            self.wait("status", connectorId=connector, status="Available")

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.charger.stop()
            return
        print("--- the simulator's last words ---\n%s" % self.charger.tail(15))
        self.charger.kill()

    # ---- the operator ----

    def start(self, tag=VALID, connector=1, expect=200, **more):
        status, answer = self.rest("POST", "/api/v1/start", {
            "cpid": self.identity, "connectorId": connector, "id_tag": tag, **more})
        same(status, expect, "POST /start: %r:" % answer)
        return answer

    def stop(self, expect=200, **which):
        status, answer = self.rest("POST", "/api/v1/stop", {"cpid": self.identity, **which})
        same(status, expect, "POST /stop: %r:" % answer)
        return answer

    def reservation(self, number):
        items = self.rest("GET", "/api/v1/reservations?cpid=%s" % self.identity)[1]["items"]
        return next(r for r in items if r["reservationId"] == number)

    def upload(self, name, text):
        status, answer = self.server.put_file(name, text.encode())
        same(status, 200, "PUT file: %r:" % answer)

    def meter_values(self):
        """The charger is asked for meter values; those."""
        self.command("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1})
        return self.wait("meter")

    def metered(self, fits):
        event = self.meter_values()
        if not fits(event):
            raise AssertionError("meter values that do not fit: %r" % event)

    def settled(self):
        """Everything that the charger sent before has been answered: it waits for its answers in order. The
        message is one that nothing else here sends, so that its answer is no other's."""
        self.sim("POST", "/send/LogStatusNotification", {"status": "Idle"})
        self.wait("message", direction="out", answers="LogStatusNotification")

    @staticmethod
    def time_in(seconds):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))

    def active(self):
        return self.rest("GET", "/api/v1/active?cpid=%s" % self.identity)[1]["sessions"]

    def history(self):
        return self.rest("GET", "/api/v1/history?cpid=%s" % self.identity)[1]["sessions"]

    # ---- the person at the charger ----

    def plug(self, connector=1, **query):
        self.sim("POST", "/plug/%d" % connector + self.query(query))
        self.wait("status", connectorId=connector, status="Preparing")

    def unplug(self, connector=1):
        self.sim("POST", "/unplug/%d" % connector)
        self.wait("status", connectorId=connector, status="Available")

    def present(self, tag=VALID, connector=1):
        self.sim("POST", "/local_start/%d" % connector + self.query({"id_tag": tag}))

    def charging(self, connector=1, tag=VALID):
        """Plugs in, presents the tag, and waits until it charges; the transaction's id."""
        self.plug(connector)
        self.present(tag, connector)
        return self.started(connector, tag)

    def started(self, connector=1, tag=VALID):
        event = self.wait("transaction_started", connectorId=connector, idTag=tag)
        self.wait("status", connectorId=connector, status="Charging")
        return event["transactionId"]

    def stopped(self, transaction, reason):
        event = self.wait("transaction_stopped", transactionId=transaction)
        same(event["reason"], reason, "stop reason:")
        return event

    def present_and_stop(self):
        """One whole session, so that the charger knows the card. Some energy flows: two sessions with the
        same start in whole seconds and the same register would be one (X3)."""
        transaction = self.charging()
        while self.meter_values()["energyWh"] < 1:
            pass
        self.sim("POST", "/local_stop/1")
        self.stopped(transaction, "Local")

    def back_again(self, soft=False):
        """After a reset: away, back, booted, every connector told."""
        if not soft:
            self.wait("charge_point", online=False)
        for connector in range(3):
            self.wait("status", connectorId=connector)
        same(len(self.said("BootNotification")), 2, "boots:")

    def setting(self, key, value):
        self.sim("PUT", "/configuration/%s?value=%s" % (key, value))

    @staticmethod
    def query(values):
        return "?" + sites.urllib.parse.urlencode(values) if values else ""

    # ---- the wire, as the charger has it ----

    def frames(self):
        return [(f["direction"], json.loads(f["text"])) for f in self.sim("GET", "/log")["frames"]]

    def said(self, action):
        """The charger's CALLs of this action and the server's answers: (payload, answer)."""
        frames = self.frames()
        answers = {f[1]: f[2] for way, f in frames if way == "in" and f[0] in (3, 4)}
        return [(f[3], answers.get(f[1])) for way, f in frames
                if way == "out" and f[0] == 2 and f[2] == action]

    def asked(self, action):
        """The server's CALLs of this action: (payload, the charger's answer)."""
        frames = self.frames()
        answers = {f[1]: f[2] for way, f in frames if way == "out" and f[0] in (3, 4)}
        return [(f[3], answers.get(f[1])) for way, f in frames
                if way == "in" and f[0] == 2 and f[2] == action]

    def verdicts(self, action="Authorize"):
        return [answer["idTagInfo"]["status"] for _, answer in self.said(action)]
