#!/usr/bin/python3
"""http.get, http.post and webhooks against a backend that behaves in every bad way, and kill -9 in between.

The backend is a socket server of this test: slow, redirecting, huge, closing, not HTTP at all; it can hold its answers
back, and counts how many are asked of it at once. Webhooks must arrive in order, signed, at least once, under the id and
with the bytes that they were sent with, whatever happens to either side.
"""
import asyncio
import collections
import concurrent.futures
import hashlib
import hmac
import json
import os
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from harness import Charger, Server  # noqa: E402

ROUNDS = int(os.environ.get("OUTSIDE_ROUNDS", "12"))
SEED = int(os.environ.get("OUTSIDE_SEED", "20261124"))
SECRET = "it is a secret"

POLICY = """
webhook "crm" {{ url = "http://127.0.0.1:{port}/hook/crm", secret = "{secret}", headers = {{ ["X-Mine"] = "one" }} }}
webhook "other" {{ url = "http://127.0.0.1:{port}/hook/other?token=hidden" }}
webhook "nowhere" {{ url = "http://not-listed.invalid/hook" }}

function on.authorize(idTag, cp)
  local answer, err = http.get("http://127.0.0.1:{port}/cards/" .. http.escape(idTag))
  if not answer then return "Accepted", {{ why = "backend down: " .. err.code }} end
  return answer.json.allowed and "Accepted" or "Blocked"
end

function on.stop(tx) webhook("crm"):send("stop", {{ tx = tx.id }}) end

route("POST /ask", function(req)
  local q, answer, err = req.json, nil, nil
  local options = {{ timeout = q.timeout, headers = q.headers }}
  if q.method then
    options.method = q.method ~= "POST" and q.method or nil
    answer, err = http.post(q.url, q.body, options)
  else
    answer, err = http.get(q.url, options)
  end
  if not answer then return 200, {{ code = err.code, message = err.message }} end
  return 200, {{ status = answer.status, body = #answer.body < 1000 and answer.body or #answer.body, json = answer.json,
                headers = answer.headers }}
end)

route("POST /send", function(req)
  local id, err = webhook(req.json.webhook or "crm"):send(req.json.event or "test", req.json.payload)
  if not id then return 409, {{ code = err.code, message = err.message }} end
  return 202, {{ id = id }}
end)
"""


class Backend:
    """An HTTP server of sockets. `hook_status` is what /hook answers; `holding` keeps answers back."""

    def __init__(self):
        self.server = None
        self.port = 0
        self.requests = []                 # (method, path, headers, body)
        self.hooks = []                    # (path, headers, body), answered or not
        self.answered = []                 # bodies of hooks that were answered 2xx
        self.hook_status = 200
        self.holding = asyncio.Event()
        self.holding.set()
        self.now, self.most = 0, 0         # requests of /gate under way
        self.changed = asyncio.Condition()
        self.writers = set()

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=1000)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def stop(self):
        """As if its machine were off."""
        self.server.close()
        for writer in list(self.writers):
            writer.transport.abort()
        await self.server.wait_closed()

    async def note(self):
        async with self.changed:
            self.changed.notify_all()

    async def until(self, condition):
        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(condition), harness.PATIENCE)

    async def serve(self, reader, writer):
        self.writers.add(writer)
        try:
            while await self.serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def serve_one(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = dict(line.lower().split(": ", 1) if ": " in line else (line, "") for line in head[1:] if line)
        raw = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append((method, path, headers, body))
        await self.note()
        if path.startswith("/hook/"):
            return await self.serve_hook(writer, path, raw, body)
        name = path.split("/")[1].split("?")[0]
        return await getattr(self, "do_" + name.replace("-", "_"))(writer, method, path, headers, body)

    async def answer(self, writer, status, body=b"", headers=()):
        lines = ["HTTP/1.1 %d Whatever" % status, "Content-Length: %d" % len(body), *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()
        return True

    async def serve_hook(self, writer, path, headers, body):
        self.hooks.append((path, headers, body))
        await self.note()
        await self.holding.wait()
        status = self.hook_status
        if 200 <= status < 300:
            self.answered.append(body)
        await self.answer(writer, status)
        await self.note()
        return True

    async def do_cards(self, writer, *_):
        return await self.answer(writer, 200, b'{"allowed": true}', ["Content-Type: application/json"])

    async def do_json(self, writer, *_):
        return await self.answer(writer, 200, b'{"n": 12345678901234567, "list": [], "none": null, "x": 1.5}',
                                 ["Content-Type: application/json", "X-Twice: a", "x-twice: b"])

    async def do_text(self, writer, *_):
        return await self.answer(writer, 200, b'{"not": json}', ["Content-Type: text/plain"])

    async def do_redirect(self, writer, *_):
        return await self.answer(writer, 302, b"", ["Location: /json"])

    async def do_missing(self, writer, *_):
        return await self.answer(writer, 404, b"no")

    async def do_echo(self, writer, method, path, headers, body):
        said = json.dumps({"method": method, "path": path, "headers": headers, "body": body.decode()}).encode()
        return await self.answer(writer, 200, said, ["Content-Type: application/json"])

    async def do_slow(self, writer, *_):
        await asyncio.sleep(3600)

    async def do_drip(self, writer, *_):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async def do_huge(self, writer, *_):
        return await self.answer(writer, 200, b"x" * ((1 << 20) + 1))

    async def do_fits(self, writer, *_):
        return await self.answer(writer, 200, b"x" * (1 << 20))

    async def do_endless(self, writer, *_):
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()

    async def do_headers(self, writer, *_):
        return await self.answer(writer, 200, b"", ["X-%d: %s" % (i, "y" * 100) for i in range(2000)])

    async def do_close(self, writer, *_):
        return False

    async def do_half(self, writer, *_):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhel")
        return False

    async def do_garbage(self, writer, *_):
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        return False

    async def do_gate(self, writer, *_):
        self.now += 1
        self.most = max(self.most, self.now)
        await self.note()
        await self.holding.wait()
        self.now -= 1
        return await self.answer(writer, 200, b"through")


class Stage:
    """The server with the policy above, and the backend."""

    def __init__(self, report):
        self.report = report
        self.backend = Backend()
        self.directory = tempfile.mkdtemp(prefix="chargebridge-outside-")
        self.server = None
        self.threads = concurrent.futures.ThreadPoolExecutor(40)

    async def __aenter__(self):
        await self.backend.start()
        with open(os.path.join(self.directory, "10-outside.lua"), "w") as f:
            f.write(POLICY.format(port=self.backend.port, secret=SECRET))
        self.server = Server(policies=self.directory,
                             policies__http_hosts="127.0.0.1:%d, localhost:%d" % (self.backend.port, self.backend.port))
        return self

    async def __aexit__(self, *failure):
        await self.backend.stop()
        self.server.__exit__(*failure)
        shutil.rmtree(self.directory, ignore_errors=True)

    def rest(self, method, path, body=None):
        return asyncio.get_running_loop().run_in_executor(self.threads, self.server.rest, method, path, body)

    async def ask(self, path, url=None, **what):
        status, answer = await self.rest("POST", "/ask", {"url": url or "http://127.0.0.1:%d%s" % (self.backend.port, path),
                                                          **what})
        if status != 200:
            raise AssertionError("POST /ask: %d %s" % (status, answer))
        return answer

    async def send(self, n, **what):
        status, answer = await self.rest("POST", "/send", {"payload": {"n": n}, **what})
        if status != 202:
            raise AssertionError("POST /send: %d %s" % (status, answer))
        return answer["id"]

    def log(self, text, after):
        return asyncio.get_running_loop().run_in_executor(self.threads, self.server.wait_log, text, after)

    async def on_disk(self):
        """What was written before is on disk: rows are stored in order, and this one is answered then."""
        status, answer = await self.rest("PUT", "/api/v1/tags/BARRIER", {"status": "Accepted"})
        if status != 200:
            raise AssertionError("PUT /tags: %d %s" % (status, answer))

    async def webhook(self, name="crm"):
        _, answer = await self.rest("GET", "/api/v1/webhooks")
        return next(item for item in answer["items"] if item["name"] == name)

    async def until_delivered(self):
        """Lets the server try at once what would wait for its next attempt, until nothing is left."""
        deadline = time.monotonic() + harness.PATIENCE
        while (await self.webhook())["queued"]:
            if time.monotonic() > deadline:
                raise AssertionError("webhooks are not delivered: %s" % await self.webhook())
            await self.rest("POST", "/api/v1/webhooks/crm/retry")


# ---- http.get and http.post ----

async def answers(stage):
    report = stage.report
    answer = await stage.ask("/json?a=1")
    report.equal("get: status", answer["status"], 200)
    report.equal("get: JSON with whole numbers, empty lists", answer["json"],
                 {"n": 12345678901234567, "list": [], "x": 1.5})
    report.equal("get: a header that comes twice", answer["headers"]["x-twice"], "a, b")
    report.equal("what is no JSON has no json", (await stage.ask("/text")).get("json"), None)
    report.equal("a redirect is not followed", (await stage.ask("/redirect"))["status"], 302)
    report.equal("its Location can be read", (await stage.ask("/redirect"))["headers"]["location"], "/json")
    report.equal("404 is an answer", (await stage.ask("/missing"))["status"], 404)
    said = (await stage.ask("/echo", method="POST", body={"a": 1, "b": ["x"]}, headers={"X-A": "b"}))["json"]
    report.equal("post: a table goes as JSON", json.loads(said["body"]), {"a": 1, "b": ["x"]})
    report.equal("post: Content-Type", said["headers"]["content-type"], "application/json")
    report.equal("post: headers", said["headers"]["x-a"], "b")
    said = (await stage.ask("/echo", method="PUT", body="text", headers={"Content-Type": "text/csv"}))["json"]
    report.equal("post: PUT, a text, a type of its own", (said["method"], said["body"], said["headers"]["content-type"]),
                 ("PUT", "text", "text/csv"))
    report.equal("1 MiB fits", (await stage.ask("/fits"))["body"], 1 << 20)


async def failures(stage):
    report, port = stage.report, stage.backend.port
    begun = time.monotonic()
    for path, code, what in [("/slow", "timeout", "timeout"), ("/drip", "timeout", "timeout"),
                             ("/huge", "too_large", None), ("/endless", "too_large", None),
                             ("/headers", "too_large", None), ("/close", "unreachable", None),
                             ("/half", "unreachable", None), ("/garbage", "unreachable", None)]:
        answer = await stage.ask(path, **({"timeout": "300ms"} if what else {}))
        report.equal("%s: %s" % (path, code), answer.get("code"), code)
    report.check("none took longer than it may", time.monotonic() - begun < 30)
    seen = len(stage.backend.requests)
    for name, url in [("another host", "http://127.0.0.2:%d/json" % port), ("another port", "http://127.0.0.1:1/json"),
                      ("no port", "http://127.0.0.1/json"), ("https is another port", "https://127.0.0.1/json"),
                      ("a name that begins alike", "http://127.0.0.1.example.org:%d/json" % port),
                      ("another spelling of the address", "http://2130706433:%d/json" % port)]:
        report.equal("%s: refused" % name, (await stage.ask("", url)).get("code"), "refused")
    report.equal("localhost is listed too", (await stage.ask("", "http://LOCALHOST:%d/json" % port)).get("status"), 200)
    for name, url in [("a user", "http://127.0.0.1:%d@evil.example/json" % port), ("a blank", "http://127.0.0.1 /"),
                      ("a backslash", "http://127.0.0.1:%d\\@evil.example/" % port), ("a file", "file:///etc/passwd"),
                      ("a line", "http://127.0.0.1:%d/a\nHost: b" % port), ("nothing", "http://")]:
        status, _ = await stage.rest("POST", "/ask", {"url": url})
        report.equal("%s in the URL: an error of the script" % name, status, 500)
    for headers in [{"Host": "evil"}, {"X": "a\r\nY: b"}, {"X Y": "a"}, {"": "a"}]:
        status, _ = await stage.rest("POST", "/ask", {"url": "http://127.0.0.1:%d/json" % port, "headers": headers})
        report.equal("header %r: an error of the script" % headers, status, 500)
    report.equal("nothing of all this was sent", len(stage.backend.requests), seen + 1)


async def many_at_once(stage):
    report, backend = stage.report, stage.backend
    backend.holding.clear()
    asked = [asyncio.ensure_future(stage.ask("/gate")) for _ in range(30)]
    await backend.until(lambda: backend.now == 16)
    late = await stage.ask("/gate", timeout="400ms")
    report.equal("who waits behind them gives up in time", late.get("code"), "timeout")
    backend.holding.set()
    done = await asyncio.gather(*asked)
    report.equal("all of the others got through", collections.Counter(a.get("body") for a in done), {"through": 30})
    report.equal("no more than sixteen at once", backend.most, 16)


async def authorization(stage):
    report, backend = stage.report, stage.backend
    charger = await Charger(stage.server, "CP1").connect()
    await charger.boot()
    answer = await charger.call("Authorize", {"idTag": "A B/1"})
    report.equal("a backend decides", answer["idTagInfo"]["status"], "Accepted")
    report.equal("a value is escaped in the URL", backend.requests[-1][1], "/cards/A%20B%2F1")
    backend.do_cards, was = backend.do_slow, backend.do_cards
    begun = time.monotonic()
    answer = await charger.call("Authorize", {"idTag": "SLOW"})
    report.equal("it is down: the policy still answers within its time", answer["idTagInfo"]["status"], "Accepted")
    report.check("after less than 5 s", time.monotonic() - begun < 5)
    backend.do_cards = was
    await charger.close()


# ---- webhooks ----

def is_signed(headers, body):
    t, v1 = (part.split("=", 1)[1] for part in headers["X-ChargeBridge-Signature"].split(","))
    wanted = hmac.new(SECRET.encode(), t.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(v1, wanted) and abs(int(t) - time.time()) < 60


async def delivery(stage):
    report, backend = stage.report, stage.backend
    backend.hooks.clear()
    ids = [await stage.send(n, event="count") for n in range(20)]
    await backend.until(lambda: len(backend.answered) >= 20)
    bodies = [json.loads(body) for _, _, body in backend.hooks]
    report.equal("in order, each once", [b["data"]["n"] for b in bodies], list(range(20)))
    report.equal("under the ids that were given", [b["id"] for b in bodies], ids)
    report.equal("a body tells what it is", {k: bodies[0][k] for k in ("webhook", "event")},
                 {"webhook": "crm", "event": "count"})
    _, headers, body = backend.hooks[0]
    report.check("signed", all(is_signed(h, b) for _, h, b in backend.hooks), headers)
    report.equal("headers", [headers.get(n) for n in ("X-ChargeBridge-Id", "X-ChargeBridge-Event", "X-Mine", "Content-Type")],
                 [ids[0], "count", "one", "application/json"])
    await stage.send(1, webhook="other")
    await backend.until(lambda: len(backend.hooks) == 21)
    report.check("no secret, no signature", "X-ChargeBridge-Signature" not in backend.hooks[20][1])
    shown = await stage.webhook("other")
    report.equal("a key in the URL is not shown", shown["url"], "http://127.0.0.1:%d/hook/other" % backend.port)


async def failing(stage):
    report, backend = stage.report, stage.backend
    backend.hooks.clear()
    backend.hook_status = 503
    lines = len(stage.server.log)
    first = await stage.send("first")
    second = await stage.send("second")
    await stage.log("webhook not delivered", lines)
    shown = await stage.webhook()
    report.equal("what waits is shown", [shown[k] for k in ("queued", "lastError", "declared", "signed")],
                 [2, "the receiver answered 503", True, True])
    for _ in range(3):
        seen = len(backend.hooks)
        await stage.rest("POST", "/api/v1/webhooks/crm/retry")
        await backend.until(lambda: len(backend.hooks) > seen)
    tries = [json.loads(b)["id"] for _, _, b in backend.hooks]
    report.equal("the next waits for the first", set(tries), {first})
    report.equal("every attempt has the same bytes", len({b for _, _, b in backend.hooks}), 1)
    report.check("and a signature of its own time", all(is_signed(h, b) for _, h, b in backend.hooks))
    backend.hook_status = 204
    await stage.until_delivered()
    report.equal("then both, in order", [json.loads(b)["id"] for b in backend.answered[-2:]], [first, second])
    await stage.send(1, webhook="nowhere")
    deadline = time.monotonic() + harness.PATIENCE
    while not (await stage.webhook("nowhere"))["lastError"] and time.monotonic() < deadline:
        pass
    shown = await stage.webhook("nowhere")
    report.equal("a host that is not listed: kept, and said", [shown["queued"], shown["lastError"]],
                 [1, "not-listed.invalid:80 is not in policies.http_hosts"])
    report.equal("retry of none", (await stage.rest("POST", "/api/v1/webhooks/nobody/retry"))[0], 404)


async def reloads(stage):
    """A reload does not disturb what is under way; another URL counts at once."""
    report, backend = stage.report, stage.backend
    backend.hook_status = 500
    lines = len(stage.server.log)
    kept = await stage.send("kept")
    await stage.log("webhook not delivered", lines)
    path = os.path.join(stage.directory, "10-outside.lua")
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text.replace("/hook/crm", "/hook/moved"))
    backend.hook_status = 200
    status, _ = await stage.rest("POST", "/api/v1/policies/reload")
    report.equal("reload", status, 200)
    await backend.until(lambda: backend.answered and json.loads(backend.answered[-1])["id"] == kept)
    report.equal("the new URL has it", backend.hooks[-1][0], "/hook/moved")
    with open(path, "w") as f:
        f.write(text)
    await stage.rest("POST", "/api/v1/policies/reload")


async def one_life(stage, rng, ledger):
    """Sends until the power goes, at a moment that the dice choose."""
    backend = stage.backend
    backend.hook_status = rng.choice([200, 200, 500])
    if rng.random() < 0.5:
        backend.holding.clear()  # deliveries hang when it happens
    for _ in range(rng.randrange(1, 25)):
        ledger.append(await stage.send(len(ledger), event="life"))
    await stage.on_disk()
    asked = [asyncio.ensure_future(stage.send(n, event="unsure")) for n in range(rng.randrange(4))]
    for _ in range(rng.randrange(3)):
        await asyncio.sleep(0)
    stage.server.kill()
    await asyncio.gather(*asked, return_exceptions=True)
    backend.holding.set()
    backend.hook_status = 200
    stage.server.start()


async def kills(stage):
    report, backend = stage.report, stage.backend
    rng = random.Random(SEED)
    ledger = []
    backend.answered.clear()
    backend.hooks.clear()
    for _ in range(ROUNDS):
        await one_life(stage, rng, ledger)
    await stage.until_delivered()
    tried = collections.defaultdict(set)
    for _, _, body in backend.hooks:
        tried[json.loads(body)["id"]].add(body)
    delivered = [json.loads(body) for body in backend.answered if json.loads(body)["event"] == "life"]
    first = list(dict.fromkeys(b["id"] for b in delivered))
    report.check("kill -9, %d times: none is lost" % ROUNDS, set(ledger) <= set(first),
                 "%d of %d" % (len(set(first) & set(ledger)), len(ledger)))
    report.equal("in the order in which they were sent", [i for i in first if i in set(ledger)], ledger)
    numbers = collections.Counter(b["data"]["n"] for b in {b["id"]: b for b in delivered}.values())
    report.equal("no event under two ids", [n for n, count in numbers.items() if count > 1], [])
    report.equal("whenever one came again it was the same, byte for byte", [i for i, b in tried.items() if len(b) > 1], [])
    report.check("some did come again", len(backend.hooks) > len(tried))


async def charge(stage, rng, ledger):
    """Transactions, one after the other, until the power goes right behind the answer to a stop."""
    charger = await Charger(stage.server, "CP1").connect()
    await charger.boot()
    for _ in range(rng.randrange(1, 8)):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        started = await charger.call("StartTransaction", {"connectorId": 1, "idTag": "A", "meterStart": len(ledger),
                                                          "timestamp": now})
        await charger.call("StopTransaction", {"transactionId": started["transactionId"], "meterStop": len(ledger) + 9,
                                               "timestamp": now})
        ledger.append(started["transactionId"])
    stage.server.kill()
    charger.drop()
    await charger.listener
    stage.server.start()


async def stops(stage):
    """Whatever on.stop sent is sent once, under one id, for every stop that was answered."""
    report, backend = stage.report, stage.backend
    rng = random.Random(SEED)
    ledger = []
    backend.answered.clear()
    for _ in range(ROUNDS):
        await charge(stage, rng, ledger)
    await stage.until_delivered()
    bodies = [json.loads(body) for body in backend.answered if json.loads(body)["event"] == "stop"]
    ids = collections.defaultdict(set)
    for body in bodies:
        ids[body["data"]["tx"]].add(body["id"])
    report.equal("every stop that was answered is told", sorted(set(ledger) - set(ids)), [])
    report.equal("under one id", [tx for tx, given in ids.items() if len(given) > 1], [])
    report.equal("in order", list(dict.fromkeys(body["data"]["tx"] for body in bodies)), sorted(ids))


async def main(report):
    async with Stage(report) as stage:
        for part in (answers, failures, many_at_once, authorization, delivery, failing, reloads, kills, stops):
            await part(stage)


if __name__ == "__main__":
    harness.run(main)
