#!/usr/bin/python3
"""Every route of the server's own OpenAPI document, called in every wrong way: bad JSON, wrong types,
unknown fields and parameters, wrong key, wrong method, too large, unknown ids, hostile paths. No answer
may be outside the document, none a 500, and a charger's session goes on meanwhile.
"""
import http.client
import itertools
import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ODD = [None, True, -1, 0, 1 << 62, 1.5, "", "x" * 300, "\u0000", "é" * 30, [], {}, [[]], {"a": {"b": 1}}]
JSON, TEXT, NOTHING = "application/json", "text/plain", None
# What goes on for ever by design, and what would end the test's own server or its policies.
ENDLESS = {"/api/v1/events"}
LARGE = {"/api/v1/tags:import"}  # takes more than rest.max_body: tags_cli.py


class Caller:
    def __init__(self, server):
        self.server, self.document = server, server.openapi()
        self.calls, self.faults = 0, []

    def call(self, method, path, body=None, kind=JSON, key=harness.KEY, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.rest_port, timeout=harness.PATIENCE)
        sent = dict(headers)
        if key:
            sent["X-API-Key"] = key
        if kind and body is not None:
            sent["Content-Type"] = kind
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        self.calls += 1
        fault = self.document.judge(method, path, answer.status, answer.headers["Content-Type"], text)
        if answer.status == 500:
            fault = "500"
        if fault:
            self.faults.append("%s %s %r: %d %s: %s" % (method, path, (body or "")[:80], answer.status, fault, text[:160]))
        return answer.status

    def expect(self, allowed, method, path, *args, **more):
        status = self.call(method, path, *args, **more)
        if status not in allowed:
            self.faults.append("%s %s %r %r: %d, expected one of %r" % (method, path, args, more, status, allowed))


def concrete(template, value="NOBODY"):
    parts = [value if part.startswith("{") else part for part in template.split("/")]
    return "/".join(parts)


def body_schema(document, operation):
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get(JSON, {}).get("schema")
    return document.resolve(schema) if schema else None


def good_value(document, schema):
    schema = document.resolve(schema)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if "enum" in schema:
        return schema["enum"][0]
    return {"integer": 1, "number": 1, "boolean": True, "array": [], "object": {}}.get(
        kind, "2026-01-01T00:00:00Z" if schema.get("format") == "date-time" else "NOBODY")


def wrong_bodies(document, schema):
    """Bodies that differ from a fitting one in one member."""
    members = schema.get("properties", {})
    good = {name: good_value(document, members[name]) for name in schema.get("required", [])}
    yield {**good, "noSuchField": 1}
    for name, value in itertools.product(members, ODD):
        yield {**good, name: value}
    for name in schema.get("required", []):
        yield {k: v for k, v in good.items() if k != name}


def wrong_bodies_of(caller, method, path, schema):
    for text in ("{", "nonsense", "[1,", '{"a":1,}', '{"a":1}{"b":2}', "\xff", '"\\ud800"', "[" * 200, "1", "[]", "null"):
        caller.expect(range(200, 500), method, path, text.encode("latin-1"))
    for body in wrong_bodies(caller.document, schema):
        caller.call(method, path, json.dumps(body).encode())
    caller.expect((422,), method, path, json.dumps({"noSuchField": 1}).encode())


def attack(caller, template, method, operation):
    path = concrete(template)
    needs_key = operation.get("security") != []
    if needs_key:
        caller.expect((401, 429), method, path, b"{}", key=None)
    caller.call(method, path + "?noSuchParameter=1")
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "query":
            for value in ("", "x", "-1", "0", "99999999999999999999", "%00", "%zz", "a" * 2000, "2026-13-45"):
                caller.call(method, "%s?%s=%s" % (path, parameter["name"], value), b"{}" if method != "GET" else None)
    if "{" in template:
        for value in ("%00", "%2F", "%2E%2E", "%zz", "x" * 300, "%F0%9F%9A%97", "-1", "0", "99999999999999999999", "1"):
            caller.call(method, concrete(template, value), b"{}" if method in ("POST", "PUT", "PATCH") else None)
    if "requestBody" in operation:
        if JSON in operation["requestBody"]["content"] and template not in LARGE:
            caller.expect((413,), method, path, b"x" * 70000)
        caller.call(method, path, b"<a/>", kind="application/xml")
        schema = body_schema(caller.document, operation)
        if schema and schema.get("properties") is not None and schema.get("additionalProperties") is False:
            wrong_bodies_of(caller, method, path, schema)


def wrong_methods(caller, template, known):
    for method in METHODS:
        other = caller.document.operation(method, concrete(template))[0]  # another template fits too
        if method.lower() not in known and other is None:
            caller.expect((405, 404), method, concrete(template), b"{}")


async def one_session(charger):
    """Start, values, stop: chargers do not notice."""
    started = await charger.call("StartTransaction", {"connectorId": 1, "idTag": "X", "meterStart": 0,
                                                      "timestamp": "2026-01-01T00:00:00Z"})
    await charger.call("StopTransaction", {"transactionId": started["transactionId"], "meterStop": 5,
                                           "timestamp": "2026-01-01T00:01:00Z"})
    return started["transactionId"] > 0


async def main(report):
    random.seed(3)
    with harness.Server(rest__max_connections_per_address=0) as server:
        charger = await harness.Charger(server, "CP1").connect()
        await charger.boot()
        caller = Caller(server)
        for template, methods in sorted(caller.document.document["paths"].items()):
            before = len(caller.faults)
            if template in ENDLESS:
                caller.expect((401, 429), "GET", template, key=None)
                caller.expect((400, 422), "GET", template + "?types=noSuchType")
                continue
            for method, operation in methods.items():
                if method in ("get", "post", "put", "patch", "delete"):
                    attack(caller, template, method.upper(), operation)
            wrong_methods(caller, template, methods)
            report.check(template, len(caller.faults) == before, "\n     ".join(caller.faults[before:][:6]))
        for path in ("/", "/api", "/api/v1/nothing", "//api/v1/health", "/api/v1/../x", "/%2e%2e/etc/passwd", "/api/v1/tags/"):
            caller.expect((404,), "GET", path)
        report.check("paths that are no routes", True)
        report.check("a charger's session goes on (%d calls)" % caller.calls, await one_session(charger))
        report.check("nothing was logged as failed", not any("request failed" in (l or "") for l in server.log),
                     [l for l in server.log if l and "request failed" in l][:3])
        await charger.close()


if __name__ == "__main__":
    harness.run(main)
