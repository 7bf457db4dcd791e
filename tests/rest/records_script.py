"""Chargers that follow a script, and the operator who asks them by REST: what records.py stands on."""
import asyncio
import json

import harness

SILENT, GONE = object(), object()


class Scripted(harness.Charger):
    """Answers the server's CALLs from `script[action]`: a payload, a function of the request, the code of a
    CALLERROR, SILENT, GONE (the line drops), or a list of these, of which the last one stays. `heard` has
    what came."""

    def __init__(self, server, identity, script=None, **more):
        super().__init__(server, identity, **more)
        self.script, self.heard = script or {}, []

    async def _heard(self, frame):
        if frame[0] != 2:
            await super()._heard(frame)
            return
        self.heard.append((frame[2], frame[3]))
        answer = self.script.get(frame[2], {"status": "Accepted"})
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(frame[3])
        if answer is GONE:
            self.drop()
        elif isinstance(answer, str):
            await self.ws.send(json.dumps([4, frame[1], answer, "", {}]))
        elif answer is not SILENT:
            await self.ws.send(json.dumps([3, frame[1], answer]))

    def asked(self, action):
        """What the server asked by this action since the last look."""
        found = [payload for name, payload in self.heard if name == action]
        self.heard = [one for one in self.heard if one[0] != action]
        return found


def told(keys, wanted):
    """The answer to GetConfiguration: keys are {key: (value, readonly)}."""
    return {"configurationKey": [{"key": k, "readonly": keys[k][1], "value": keys[k][0]} for k in wanted if k in keys],
            "unknownKey": [k for k in wanted if k not in keys]}


class Lister(Scripted):
    """A charger with a local list: `list` is {idTag: idTagInfo}, `says` what it answers instead of Accepted."""

    def __init__(self, server, identity, **keys):
        super().__init__(server, identity, {
            "GetConfiguration": self.tell, "GetLocalListVersion": lambda _: {"listVersion": self.version},
            "SendLocalList": self.take})
        self.keys, self.version, self.list, self.says = keys, 0, {}, []

    def tell(self, request):
        return told({k: (v, True) for k, v in self.keys.items()}, request.get("key") or list(self.keys))

    def take(self, request):
        entries = request.get("localAuthorizationList", [])
        word = self.says.pop(0) if self.says else "Accepted"
        if word == "Accepted" and request["updateType"] == "Differential" and request["listVersion"] <= self.version:
            word = "VersionMismatch"
        if word == "Accepted" and len(entries) > int(self.keys.get("SendLocalListMaxLength", 1000)):
            word = "Failed"
        if word is SILENT or word is GONE:
            return word
        if word == "Accepted":
            if request["updateType"] == "Full":
                self.list = {}
            for entry in entries:
                if "idTagInfo" in entry:
                    self.list[entry["idTag"]] = entry["idTagInfo"]
                else:
                    del self.list[entry["idTag"]]
            self.version = request["listVersion"]
        return {"status": word}

    def updates(self):
        """The parts of the last change: (type, version, entries)."""
        return [(r["updateType"], r["listVersion"], len(r.get("localAuthorizationList", [])))
                for r in self.asked("SendLocalList")]


class Keyed(Scripted):
    """A charger with keys, of which it tells at most `most` at once; `words`: what it says to a change."""

    def __init__(self, server, identity, most, **values):
        super().__init__(server, identity, {"GetConfiguration": self.tell, "ChangeConfiguration": self.change})
        self.most, self.values, self.words = most, {"GetConfigurationMaxKeys": str(most), **values}, {}

    def tell(self, request):
        wanted = request.get("key")
        if wanted and len(wanted) > self.most:
            return "OccurenceConstraintViolation"
        keys = {k: (v, k in self.words) for k, v in self.values.items()}
        return told(keys, wanted or list(self.values)[:self.most])

    def change(self, request):
        word = self.words.get(request["key"], "Accepted")
        if word in ("Accepted", "RebootRequired"):
            self.values[request["key"]] = request["value"]
        return {"status": word} if word in ("Accepted", "RebootRequired", "Rejected", "NotSupported") else word


class Desk:
    """The operator: REST in a thread, so that scripted chargers can answer meanwhile."""

    def __init__(self, server, report):
        self.server, self.report = server, report
        self.equal, self.check = report.equal, report.check

    async def rest(self, method, path, body=None):
        return await asyncio.to_thread(self.server.rest, method, "/api/v1" + path, body)

    async def status(self, method, path, body=None):
        """The status, and of a problem what the charger's word was."""
        status, answer = await self.rest(method, path, body)
        return status if status < 300 or "response" not in answer else (status, answer["response"]["status"])

    async def at_work(self, charger):
        await charger.connect()
        await charger.boot()
        return charger

    async def charger(self, identity, **script):
        return await self.at_work(Scripted(self.server, identity, script))

    async def items(self, path):
        return (await self.rest("GET", path))[1]["items"]

    async def pages(self, path):
        """All items, two at a time."""
        found, more = [], "?limit=2"
        while more:
            answer = (await self.rest("GET", path + more))[1]
            found += answer["items"]
            more = answer["next"] and "?limit=2&cursor=" + answer["next"]
        return found
