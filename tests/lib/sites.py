"""A site: one server and one simulated charger as processes, an operator with REST, and an ear on the
server's live events, so that a test waits for what happens and never sleeps.

    with sites.Site() as s:
        s.sim("POST", "/plug/1")
        s.rest("POST", "/api/v1/start", {...})
        started = s.wait("transaction_started")
"""
import contextlib
import json
import os
import re
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import harness


class Simulator:
    """chargebridge-sim. `flags` are its options without the dashes, `True` for one without a value."""

    def __init__(self, server, identity="Gresgying02", **flags):
        flags = {"id": identity, "port": server.ocpp_port, "host": "127.0.0.1", "control-port": 0,
                 "log-frames": True, **{k.replace("_", "-"): v for k, v in flags.items()}}
        words = [os.path.join(harness.BUILD, "chargebridge-sim")]
        for name, value in flags.items():
            for one in value if isinstance(value, list) else [value]:
                words += ["--" + name] if one is True else ["--" + name, str(one)]
        self.identity, self.log, self.changed = identity, [], threading.Condition()
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, errors="replace",
                                        cwd=server.directory)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.port = int(re.search(r"control_port=(\d+)", self.wait_log("msg=ready "))[1])

    # The same ways with a log as the server's.
    wait_log, tail = harness.Server.wait_log, harness.Server.tail

    def _read(self):
        harness.Server._read(self, self.process)

    def rest(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (self.port, path), data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=harness.PATIENCE) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            text = error.read().decode()
            try:
                return error.code, json.loads(text)
            except ValueError:
                return error.code, text

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(harness.PATIENCE)
        self.reader.join()
        words = "\n".join(l for l in self.log if l)
        if code != 0 or "Sanitizer" in words or "runtime error:" in words:
            raise AssertionError("the simulator ended with %d:\n%s" % (code, self.tail(60)))

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Ear:
    """Reads GET /events in a thread. wait() hands out events in order of their coming, each to the
    first wait that fits it, beginning behind the newest that wait() gave for that name."""

    def __init__(self, server, **query):
        query = "?" + urllib.parse.urlencode(query) if query else ""
        request = urllib.request.Request("http://127.0.0.1:%d/api/v1/events%s" % (server.rest_port, query))
        request.add_header("X-API-Key", harness.KEY)
        self.answer = urllib.request.urlopen(request, timeout=harness.PATIENCE)
        self.events, self.changed, self.read = [], threading.Condition(), {}
        self.ended, self.calls = False, {}
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        name, data = None, []
        try:
            for line in self.answer:
                line = line.decode().rstrip("\r\n")
                if line.startswith("event:"):
                    name = line[6:].strip()
                elif line.startswith("data:"):
                    data.append(line[5:].strip())
                elif not line and name:
                    self._heard(name, json.loads("\n".join(data) or "{}"))
                    name, data = None, []
        except (OSError, ValueError):
            pass
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def _heard(self, name, event):
        """A frame also gets the members `action` (of a CALL) and `answers` (the action of the CALL that
        it answers)."""
        if name == "message":
            with contextlib.suppress(ValueError, IndexError, TypeError, KeyError):
                frame = json.loads(event["text"])
                if frame[0] == 2:
                    event["action"] = self.calls[frame[1]] = frame[2]
                else:
                    event["answers"] = self.calls[frame[1]]
        with self.changed:
            self.events.append((name, event))
            self.changed.notify_all()

    def wait(self, name, **members):
        """The next event of that name with these members."""
        deadline = time.monotonic() + harness.PATIENCE
        at = self.read.get(name, 0)
        with self.changed:
            while True:
                for at in range(at, len(self.events)):
                    kind, event = self.events[at]
                    if kind == name and all(event.get(k) == v for k, v in members.items()):
                        self.read[name] = at + 1
                        return event
                at = len(self.events)
                if self.ended or not self.changed.wait(deadline - time.monotonic()):
                    seen = [e for e in self.events if e[0] == name][-5:]
                    raise AssertionError("no event %s %r; of that name came %r" % (name, members, seen))


class Site:
    def __init__(self, server=None, identity="Gresgying02", simulator=None, **options):
        self.server = harness.Server(**(server or {}), **options)
        self.charger = None
        try:
            self.ear = Ear(self.server)
            self.charger = Simulator(self.server, identity, **(simulator or {}))
            self.identity = identity
            for connector in range(0, 1 + int((simulator or {}).get("connectors", 2))):
                self.wait("status", connectorId=connector, status="Available")
        except BaseException:
            self.__exit__(AssertionError, None, None)
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.charger:
            if kind is None:
                self.charger.stop()
            else:
                print("--- the simulator's last words ---\n%s" % self.charger.tail(25))
                self.charger.kill()
        self.server.__exit__(kind, value, trace)

    def wait(self, name, **members):
        return self.ear.wait(name, **members)

    def rest(self, method, path, body=None, **more):
        return self.server.rest(method, path, body, **more)

    def sim(self, method, path, body=None, expect=200):
        """What a person at the charger does; the answer."""
        status, answer = self.charger.rest(method, path, body)
        if status != expect:
            raise AssertionError("simulator: %s %s: %d %r" % (method, path, status, answer))
        return answer

    def command(self, action, payload, expect=200):
        """An OCPP command by REST; the charger's answer (response payload)."""
        status, answer = self.rest("POST", "/api/v1/chargepoints/%s/commands/%s" % (self.identity, action),
                                   payload)
        if status != expect:
            raise AssertionError("%s: %d %r" % (action, status, answer))
        return answer.get("response", answer) if status == 200 else answer

    def connector(self, number):
        """The simulator's own view of a connector."""
        return next(c for c in self.sim("GET", "/state")["connectors"] if c["connectorId"] == number)
