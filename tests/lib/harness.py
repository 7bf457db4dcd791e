"""The real server as a process, real chargers on real sockets: what every Python test stands on.

Server    starts the binary on free ports with a folder of its own, reads its log, stops or kills it
Charger   an OCPP 1.6 charger on python3-websockets: calls, answers, what it heard
Report    `ok name` and `FAIL name: why` lines, which tests/run counts

Nothing here sleeps to wait for something: waiting means awaiting an answer, a log line or a process
end, with PATIENCE as the limit after which the test failed.
"""
import asyncio
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import websockets

import frames
import openapi

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("CB_BUILD", os.path.join(ROOT, "build"))
SHARED = os.path.join(os.path.dirname(ROOT), "shared")
KEY = "changeme-123"
PATIENCE = 60


class Server:
    """One server process. `options` are configuration keys with the dot as `__` (ocpp__port=0)."""

    def __init__(self, policies=None, directory=None, binary=None, wait=True, **options):
        self.directory = directory or tempfile.mkdtemp(prefix="chargebridge-test-")
        self.own_directory = directory is None
        self.policies = policies or os.path.join(ROOT, "policies")
        self.binary = binary or os.path.join(BUILD, "chargebridge")
        self.options = {"ocpp__address": "127.0.0.1", "ocpp__port": 0, "ocpp__registration": "open",
                        "rest__port": 0, "store__file": os.path.join(self.directory, "cb.db"),
                        "policies__dir": self.policies, **options}
        self.log = []
        self.process = None
        self.start(wait)

    def start(self, wait=True):
        flags = ["--%s=%s" % (k.replace("__", "."), v) for k, v in self.options.items()]
        self.log = []
        self.document = None
        self.changed = threading.Condition()
        self.process = subprocess.Popen([self.binary, *flags], stderr=subprocess.PIPE, text=True,
                                        errors="replace", cwd=self.directory)
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()
        if not wait:
            return
        line = self.wait_log('msg=ready ')
        self.ocpp_port = int(re.search(r"ocpp_port=(\d+)", line)[1])
        self.rest_port = int(re.search(r"rest_port=(\d+)", line)[1])

    def _read(self, process):
        for line in process.stderr:
            with self.changed:
                self.log.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.log.append(None)
            self.changed.notify_all()

    def wait_log(self, text, after=0):
        """The first log line from index `after` on that contains `text`."""
        deadline = time.monotonic() + PATIENCE
        with self.changed:
            while True:
                for line in self.log[after:]:
                    if line is None:
                        raise AssertionError("the server ended; its last words: %s" % self.tail())
                    if text in line:
                        return line
                if not self.changed.wait(deadline - time.monotonic()):
                    raise AssertionError("no log line with %r; the last: %s" % (text, self.tail()))

    def tail(self, lines=12):
        return "\n".join(l for l in self.log[-lines:] if l is not None)

    def hangup(self):
        self.process.send_signal(signal.SIGHUP)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()

    def stop(self, expect=0):
        """SIGTERM; the exit status must be as expected and the sanitizers silent."""
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(PATIENCE)
        self.reader.join()
        words = "\n".join(l for l in self.log if l)
        if code != expect or "Sanitizer" in words or "runtime error:" in words:
            raise AssertionError("exit status %d, expected %d:\n%s" % (code, expect, self.tail(60)))
        self.judge_frames()

    def judge_frames(self):
        """Everything that it ever sent was valid, with ids of its own, one CALL at a time."""
        path = self.options["store__file"]
        if os.path.exists(path):
            _, faults = frames.judge_database(path)
            if faults:
                raise AssertionError("frames that must not be sent:\n%s" % "\n".join(faults[:5]))

    def close(self):
        try:
            self.stop()
        finally:
            if self.process.poll() is None:
                self.kill()
            if self.own_directory:
                shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.close()
            return
        print("--- the server's last words ---\n%s\n---" % self.tail(25))
        self.kill()
        if self.own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def rest(self, method, path, body=None, key=KEY):
        """(status, decoded JSON or text)"""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (self.rest_port, path), data,
                                         method=method)
        if key:
            request.add_header("X-API-Key", key)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        return self._judged(request, method, path)

    def put_file(self, name, content):
        """(status, decoded answer) of PUT /api/v1/files/{name}"""
        path = "/api/v1/files/" + name
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (self.rest_port, path), content, method="PUT")
        request.add_header("X-API-Key", KEY)
        request.add_header("Content-Type", "application/octet-stream")
        return self._judged(request, "PUT", path)

    def _judged(self, request, method, path):
        """(status, decoded JSON or text); the answer must be in the OpenAPI document."""
        status, kind, text = self._fetch(request)
        fault = self.openapi().judge(method, path, status, kind, text)
        if fault:
            raise AssertionError("%s %s: %s: %s" % (method, path, fault, text[:300]))
        with contextlib.suppress(ValueError):
            return status, json.loads(text)
        return status, text

    @staticmethod
    def _fetch(request):
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Content-Type"], error.read().decode()

    def openapi(self):
        """The server's own description of its answers; fetched once a process."""
        if self.document is None:
            request = urllib.request.Request("http://127.0.0.1:%d/api/v1/openapi.json" % self.rest_port)
            request.add_header("X-API-Key", KEY)
            self.document = openapi.Document(self._fetch(request)[2])
        return self.document

    def rss_kib(self):
        with open("/proc/%d/status" % self.process.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


class CallError(Exception):
    pass


class Charger:
    """One connection of one charger. `on_call(action, payload)` answers the server's CALLs."""

    def __init__(self, server, identity, on_call=None, password=None):
        self.server, self.identity, self.on_call = server, identity, on_call
        self.password = password
        self.pending = {}
        self.next_id = 0
        self.answers = 0
        self.extra_answers = []  # answers nobody waits for: lost order or doubled
        self.ws = None

    async def connect(self):
        headers = {}
        if self.password is not None:
            pair = base64.b64encode(("%s:%s" % (self.identity, self.password)).encode()).decode()
            headers["Authorization"] = "Basic " + pair
        self.ws = await websockets.connect(
            "ws://127.0.0.1:%d/ocpp/%s" % (self.server.ocpp_port, self.identity),
            subprotocols=["ocpp1.6"], compression=None, ping_interval=None, open_timeout=PATIENCE,
            close_timeout=5, max_queue=None, extra_headers=headers)
        self.listener = asyncio.ensure_future(self._listen())
        return self

    async def _listen(self):
        try:
            async for text in self.ws:
                await self._heard(json.loads(text))
        except websockets.ConnectionClosed:
            pass
        for future in self.pending.values():
            if not future.done():
                future.set_exception(ConnectionError("closed"))

    async def _heard(self, frame):
        if frame[0] == 2:
            answer = self.on_call(frame[2], frame[3]) if self.on_call else {"status": "Accepted"}
            await self.ws.send(json.dumps([3, frame[1], answer]))
            return
        self.answers += 1
        future = self.pending.pop(frame[1], None)
        if future is None or future.done():
            self.extra_answers.append(frame)
        elif frame[0] == 3:
            future.set_result(frame[2])
        else:
            future.set_exception(CallError(frame[2], frame[3]))

    async def send(self, action, payload, message_id=None):
        """Sends a CALL; the future of its answer."""
        if message_id is None:
            self.next_id += 1
            message_id = "%s-%d" % (self.identity, self.next_id)
        future = asyncio.get_running_loop().create_future()
        self.pending[message_id] = future
        await self.ws.send(json.dumps([2, message_id, action, payload]))
        return future

    async def call(self, action, payload):
        return await asyncio.wait_for(await self.send(action, payload), PATIENCE)

    async def boot(self):
        return await self.call("BootNotification", {"chargePointVendor": "Test",
                                                    "chargePointModel": "Model"})

    @property
    def connected(self):
        return self.ws is not None and self.ws.open

    async def close(self):
        if self.ws:
            await self.ws.close()
            await self.listener

    def drop(self):
        """Ends TCP without a Close, as a power cut does."""
        self.ws.transport.abort()


class Report:
    """Prints one line per check and remembers whether all held."""

    def __init__(self):
        self.failed = 0

    def check(self, name, ok, why=""):
        print("ok   %s" % name if ok else "FAIL %s: %s" % (name, str(why)[:2000]), flush=True)
        self.failed += not ok
        return ok

    def equal(self, name, got, expected):
        return self.check(name, got == expected, "got %r, expected %r" % (got, expected))

    def exit(self):
        sys.exit(1 if self.failed else 0)


def run(main):
    """Runs an async test main(report); an exception is a failure, not a traceback only."""
    report = Report()
    try:
        asyncio.run(main(report))
    except Exception as error:  # noqa: BLE001 - the report must name whatever it was
        import traceback
        traceback.print_exc(file=sys.stdout)
        report.check(os.path.basename(sys.argv[0]), False, repr(error))
    report.exit()


def skip_without_shared(name, path):
    """True when the shared test data is absent (a user's clone); says so."""
    if os.path.exists(os.path.join(SHARED, path)):
        return False
    print("skip %s: ../shared/%s is not here" % (name, path))
    return True
