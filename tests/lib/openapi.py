"""Holds every REST answer of the tests to the OpenAPI document that the server itself gives out.

Document(json).judge(method, path, status, content type, text) returns what is wrong, or None. An
answer is wrong when its route or its status is not in the document, when its content type is not, or
when its JSON does not fit the schema. Routes that a test's own policies add are in the document too.
"""
import json
import re

import jsonschema


class Document:
    def __init__(self, text):
        self.document = json.loads(text)
        self.routes = []
        for template, methods in self.document["paths"].items():
            pattern = re.compile("^" + re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template)) + "$")
            self.routes.append((template.count("{"), pattern, methods))
        self.routes.sort(key=lambda route: route[0])  # literals before parameters
        self.validators = {}

    def operation(self, method, path):
        path, known = path.split("?", 1)[0], False
        for _, pattern, methods in self.routes:
            if pattern.match(path):
                known = True
                if method.lower() in methods:
                    return methods[method.lower()], True
        return None, known

    def resolve(self, node):
        while "$ref" in node:
            at = self.document
            for part in node["$ref"][2:].split("/"):
                at = at[part.replace("~1", "/").replace("~0", "~")]
            node = at
        return node

    def validator(self, schema):
        key = json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            whole = {**schema, "components": self.document.get("components", {})}
            self.validators[key] = jsonschema.Draft202012Validator(whole)
        return self.validators[key]

    def judge(self, method, path, status, content_type, text):
        operation, known = self.operation("GET" if method == "HEAD" else method, path)
        kind = (content_type or "").split(";")[0].strip()
        if operation is None:
            if status in ((404, 405) if known else (404,)) or status in (400, 413, 429, 431, 503):
                return self.problem_fault(kind, status, text)
            return "%d for a route that is not in the document" % status
        answers = operation["responses"]
        answer = answers.get(str(status)) or answers.get("%dXX" % (status // 100))
        if answer is None:
            return "status %d is not in the document" % status
        answer = self.resolve(answer)
        content = answer.get("content", {})
        if not content or method == "HEAD":
            return "a body where the document has none" if text and method != "HEAD" else None
        if kind not in content:
            return "content type %r is not in the document (%s)" % (kind, ", ".join(content))
        schema = content[kind].get("schema")
        if schema is None or not kind.endswith("json"):
            return None
        try:
            value = json.loads(text)
        except ValueError:
            return "not JSON: %r" % text[:80]
        for error in self.validator(schema).iter_errors(value):
            return "%s: %s" % ("/".join(map(str, error.absolute_path)) or "body", error.message[:200])
        return None

    @staticmethod
    def problem_fault(kind, status, text):
        try:
            fits = json.loads(text)["status"] == status
        except (ValueError, KeyError, TypeError):
            fits = False
        return None if fits and kind == "application/problem+json" else "no problem+json: %r" % text[:80]
