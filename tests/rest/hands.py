"""What the tests of control share: chargers with hands, REST with headers in a thread beside them.

Hands       a charger that says what `says` has for the action; None there: it keeps quiet until answer();
            a pair there is the code and the description of a CALLERROR
ask         one REST request, judged by the OpenAPI document; an Answer with status, value, headers
until       asks again and again until the answer fits, with the harness's patience as the limit
"""
import asyncio
import contextlib
import datetime
import json
import os
import shutil
import tempfile
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

import harness

quote = urllib.parse.quote


class Answer:
    def __init__(self, status, value, headers):
        self.status, self.value, self.headers = status, value, headers

    def __getitem__(self, name):
        if not isinstance(self.value, dict) or name not in self.value:
            raise AssertionError("no member %r in %d %.300r" % (name, self.status, self.value))
        return self.value[name]


def fetch(server, method, path, body, raw, key, headers):
    data = raw if raw is not None else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request("http://127.0.0.1:%d%s" % (server.rest_port, path), data, method=method)
    if key:
        request.add_header("X-API-Key", key)
    if data is not None:
        kind = "application/octet-stream" if "/files/" in path and body is None else "application/json"
        request.add_header("Content-Type", kind)
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=harness.PATIENCE) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


async def ask(server, method, path, body=None, raw=None, key=harness.KEY, **headers):
    document = await asyncio.to_thread(server.openapi)
    status, found, text = await asyncio.to_thread(fetch, server, method, path, body, raw, key, headers)
    fault = document.judge(method, path, status, found["Content-Type"], text)
    if fault:
        raise AssertionError("%s %s: %s: %s" % (method, path, fault, text[:300]))
    value = text
    if "json" in (found["Content-Type"] or ""):
        with contextlib.suppress(ValueError):
            value = json.loads(text)
    return Answer(status, value, {k.lower(): v for k, v in found.items()})


async def asked_until(fits, server, method, path, body=None, **more):
    deadline = time.monotonic() + harness.PATIENCE
    while True:
        answer = await ask(server, method, path, body, **more)
        if fits(answer):
            return answer
        if time.monotonic() > deadline:
            raise AssertionError("%s %s never fits: %d %.300r" % (method, path, answer.status, answer.value))


async def until(server, path, fits):
    return await asked_until(lambda a: a.status == 200 and fits(a.value), server, "GET", path)


async def until_status(server, status, method, path, body=None, **more):
    return await asked_until(lambda a: a.status == status, server, method, path, body, **more)


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def path_of(url):
    return urllib.parse.urlsplit(url).path


class Hands(harness.Charger):
    """`calls`: every CALL that came, as (message id, action, payload)."""

    def __init__(self, server, identity, password=None):
        super().__init__(server, identity, password=password)
        self.says, self.calls, self.open = {}, [], []
        self.changed = asyncio.Condition()

    async def boot(self, vendor="Test", model="Model"):
        await self.connect()
        answer = await self.call("BootNotification", {"chargePointVendor": vendor, "chargePointModel": model})
        assert answer["status"] == "Accepted", answer
        return self

    async def _heard(self, frame):
        if frame[0] != 2:
            return await super()._heard(frame)
        _, message, action, payload = frame
        answer = self.says.get(action, {"status": "Accepted"} if action != "GetLocalListVersion" else {"listVersion": 0})
        if answer is None:
            self.open.append((message, action))
        elif isinstance(answer, tuple):
            await self.ws.send(json.dumps([4, message, *answer, {}]))
        else:
            await self.ws.send(json.dumps([3, message, answer]))
        async with self.changed:
            self.calls.append((message, action, payload))
            self.changed.notify_all()

    def count(self, action):
        return sum(a == action for _, a, _ in self.calls)

    async def heard(self, action, count=1):
        """Waits until it has heard that action so many times."""
        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(lambda: self.count(action) >= count), harness.PATIENCE)

    async def heard_mark(self, mark):
        """Waits for a DataTransfer of that vendorId."""
        def has():
            return any(a == "DataTransfer" and p["vendorId"] == mark for _, a, p in self.calls)
        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(has), harness.PATIENCE)

    async def answer(self, action, payload):
        """Answers the oldest open CALL of that action."""
        found = next(one for one in self.open if one[1] == action)
        self.open.remove(found)
        await self.ws.send(json.dumps([3, found[0], payload]))

    async def gone(self):
        """Waits until the server has closed the connection."""
        await asyncio.wait_for(self.listener, harness.PATIENCE)


@contextlib.asynccontextmanager
async def served(**options):
    """A harness.Server that stops beside the chargers, so that they can answer its Close."""
    with harness.Server(**options) as server:
        yield server
        await asyncio.to_thread(server.stop)


@contextlib.contextmanager
def folder(files):
    """A folder of policies, removed afterwards."""
    directory = tempfile.mkdtemp(prefix="chargebridge-policies-")
    try:
        for name, text in files.items():
            with open(os.path.join(directory, name), "w") as f:
                f.write(text)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def playing(report, part, *arguments):
    """One part of a test; what it raises is its failure, and the others go on."""
    begun = time.monotonic()
    try:
        await part(report, *arguments)
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        report.check(part.__name__, False, repr(error))
    if os.environ.get("CONTROL_TIMES"):
        print("     %s: %.1f s" % (part.__name__, time.monotonic() - begun))
