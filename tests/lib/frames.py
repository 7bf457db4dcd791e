"""Judges what the server sent: every frame valid by the schemas of OCPP 1.6, every id unique on its
connection, one CALL of ours outstanding (rules R1, R3; DESIGN.md promise 3).

Frames come from the message table of a server's database: plays and processes both keep one. The
schemas are test data beside the repository; without them the shape of the frames, the ids
and the order are still judged.
"""
import decimal
import functools
import json
import os
import sqlite3

import jsonschema

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCHEMAS = os.path.join(os.path.dirname(ROOT), "shared", "ocpp-schemas", "1.6")
CODES = {"NotImplemented", "NotSupported", "InternalError", "ProtocolError", "SecurityError",
         "FormationViolation", "PropertyConstraintViolation", "OccurenceConstraintViolation",
         "TypeConstraintViolation", "GenericError"}


@functools.lru_cache(None)
def schema_of(name):
    """A validator, or None when there is no schema of that name (or no schemas here)."""
    path = os.path.join(SCHEMAS, name + ".json")
    if not os.path.exists(path):
        return None
    with open(path) as f:
        schema = json.load(f, parse_float=decimal.Decimal)
    return jsonschema.validators.validator_for({})(schema, format_checker=None)


def frame_of(text):
    """Numbers as written: 22000.1 is a multiple of 0.1, but not in binary."""
    return json.loads(text, parse_float=decimal.Decimal)


def payload_faults(name, payload):
    validator = schema_of(name)
    if validator is None or not isinstance(payload, dict):
        return [] if isinstance(payload, dict) else ["the payload is no object"]
    return ["%s: %s" % (name, e.message[:160]) for e in validator.iter_errors(payload)][:3]


class Line:
    """One connection. Feed it all frames in order; `faults` grows."""

    def __init__(self, name):
        self.name, self.faults = name, []
        self.ids = set()          # of our CALLs
        self.outstanding = set()  # those not yet answered
        self.calls = {}           # id of a charger's CALL → action

    def fault(self, text, frame):
        self.faults.append("%s: %s: %s" % (self.name, text, frame[:300]))

    def heard(self, text):
        try:
            frame = frame_of(text)
        except ValueError:
            return
        if not isinstance(frame, list) or len(frame) < 2 or not isinstance(frame[1], str):
            return
        if frame[0] == 2 and len(frame) >= 3:
            self.calls[frame[1]] = frame[2]
        elif frame[0] in (3, 4):
            self.outstanding.discard(frame[1])

    def sent(self, text):
        try:
            frame = frame_of(text)
        except ValueError:
            return self.fault("not JSON", text)
        if not isinstance(frame, list) or not frame or frame[0] not in (2, 3, 4):
            return self.fault("no frame of 1.6", text)
        if len(frame) != {2: 4, 3: 3, 4: 5}[frame[0]]:
            return self.fault("a wrong number of elements", text)
        if frame[0] == 2:
            self.sent_call(frame, text)
        elif frame[0] == 3:
            action = self.calls.get(frame[1])
            for fault in payload_faults("%sResponse" % action, frame[2]) if isinstance(action, str) else []:
                self.fault(fault, text)
        else:
            if frame[2] not in CODES:
                self.fault("unknown error code %s" % frame[2], text)
            if not isinstance(frame[4], dict) or len(frame[3]) > 255:
                self.fault("description or details", text)

    def sent_call(self, frame, text):
        _, ident, action, payload = frame
        if len(ident) > 36 or ident in self.ids:
            self.fault("the id is too long, or used twice", text)
        self.ids.add(ident)
        for fault in payload_faults(action, payload):
            self.fault(fault, text)
        if self.outstanding:
            self.fault("another CALL is outstanding (%s)" % ", ".join(self.outstanding), text)
        self.outstanding.add(ident)


def judge(rows, ended=()):
    """rows: (charge point, connection, time in ms, outgoing, text) in order. `ended`: when a CALL of
    ours that timed out was given up, by its id. Returns (frames sent, faults)."""
    lines, sent, faults, ended = {}, 0, [], dict(ended)
    for cp, connection, at_ms, outgoing, text in rows:
        line = lines.setdefault((cp.upper(), connection), Line(cp))
        line.outstanding = {i for i in line.outstanding if ended.get(i, at_ms + 1) > at_ms}
        if outgoing:
            sent += 1
            line.sent(text)
        else:
            line.heard(text)
    for line in lines.values():
        faults += line.faults
    return sent, faults


def judge_database(path):
    """The frames of a stopped server's database."""
    database = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    try:
        ended = database.execute("SELECT id, ended_ms FROM command WHERE state = 'timeout'").fetchall()
        return judge(database.execute("SELECT cp, connection, ts_ms, outgoing, text FROM message "
                                      "ORDER BY id"), ended)
    finally:
        database.close()
