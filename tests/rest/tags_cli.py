#!/usr/bin/python3
"""`chargebridge tags import|export` against a running server: CSV and JSON in and out, faults by line and
field that leave everything as it was, export → import as the identity, what is refused and how that
ends, 20,000 tags at once, and bodies that are too large."""
import json
import os
import socket
import subprocess
import sys
import tempfile
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402

PROGRAM = os.path.join(os.path.abspath(harness.BUILD), "chargebridge")
MANY = 20000
LARGEST = 4 << 20

# Every text that CSV could spoil: formulas and their defused look-alikes, quotes, line ends, spaces.
NOTES = ["=1+1", "'=1+1", "''=1+1", "'quoted'", "'", "-5", "+49 30", "@home", "\tin", "\rcr", "a,b", 'say "no"', '"',
         "two\r\nlines", "two\nlines", " before and after ", "Zoë 充电", "1e3", "0x10", "null", "[", "{},{", "#", "'-", None]


def words(server, *arguments, port=None):
    return [PROGRAM, "tags", *arguments, "--rest-port", str(port or server.rest_port)]


def tags(server, *arguments, text=None, port=None, **environment):
    """(exit status, stdout, stderr) of one run in the server's folder."""
    done = subprocess.run(words(server, *arguments, port=port), input=text.encode() if text is not None else b"",
                          cwd=server.directory, env={**os.environ, **environment}, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=harness.PATIENCE * 4)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def write(server, name, text):
    with open(os.path.join(server.directory, name), "w", newline="", encoding="utf-8") as f:
        f.write(text if isinstance(text, str) else json.dumps(text))


def write_bytes(server, name, content):
    with open(os.path.join(server.directory, name), "wb") as f:
        f.write(content)


def read(server, name):
    with open(os.path.join(server.directory, name), newline="", encoding="utf-8") as f:
        return f.read()


def state(server):
    """All tags as REST shows them."""
    items, cursor = [], ""
    while cursor is not None:
        page = server.rest("GET", "/api/v1/tags?limit=1000" + cursor)[1]
        items += page["items"]
        cursor = page["next"] and "&cursor=" + page["next"]
    return items


def both_kinds(report, server):
    write(server, "a.csv", "idTag,status,expiryDate,parentIdTag,note,maxActive\r\n"
                           "A1,Blocked,2030-01-01T00:00:00Z,GROUP,first,2\r\n\r\nA2,,,,'=SUM(A1),\r\n")
    report.equal("CSV is imported", tags(server, "import", "a.csv"), (0, "imported 2 tags\n", ""))
    report.equal("with every field", server.rest("GET", "/api/v1/tags/A1")[1],
                 {"idTag": "A1", "status": "Blocked", "expiryDate": "2030-01-01T00:00:00Z", "parentIdTag": "GROUP",
                  "note": "first", "maxActive": 2})
    report.equal("a defused formula is what it was", server.rest("GET", "/api/v1/tags/A2")[1]["note"], "=SUM(A1)")
    write(server, "b.json", [{"idTag": "B1", "note": None, "maxActive": 1}, {"idTag": "a1", "note": ""}])
    report.equal("JSON is imported", tags(server, "import", "b.json"), (0, "imported 2 tags\n", ""))
    tag = server.rest("GET", "/api/v1/tags/A1")[1]
    report.equal("and replaces, whatever the case", (tag["idTag"], tag["status"], tag["note"]), ("a1", "Accepted", None))
    report.equal("a byte order mark is none of the first name",
                 tags(server, "import", "-", text="\ufeffnote,idTag\nbom,C1\n")[:2], (0, "imported 1 tag\n"))
    report.equal("nor of JSON", tags(server, "import", "-", text='\ufeff [{"idTag":"C2"}]')[:2], (0, "imported 1 tag\n"))
    report.equal("an empty list is no fault", tags(server, "import", "-", text="[]"), (0, "imported 0 tags\n", ""))
    status, out, err = tags(server, "export", "-")
    report.equal("standard output gets CSV, and nothing else", (status, out.splitlines()[0], err),
                 (0, "idTag,status,expiryDate,parentIdTag,note,maxActive", ""))
    report.equal("of all tags", [line.split(",")[0] for line in out.splitlines()[1:]], ["a1", "A2", "B1", "C1", "C2"])


def round_trip(report, server, other):
    rows = [{"idTag": "N%02d" % n, "status": ("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx")[n % 5],
             "expiryDate": "2031-02-03T04:05:%02dZ" % n if n % 3 else None, "parentIdTag": "'+P" if n % 4 == 0 else None,
             "note": note, "maxActive": n or None} for n, note in enumerate(NOTES)]
    rows += [{"idTag": text} for text in ("=T", "'=T", "''@T", '"T"', "T,U", "Ümlaut", "- T")]
    write(server, "all.json", rows)
    report.equal("odd texts are imported", tags(server, "import", "all.json")[:2], (0, "imported %d tags\n" % len(rows)))
    before = state(server)
    report.equal("as they are", {t["note"] for t in before if t["idTag"][0] == "N"}, set(NOTES))
    for kind in ("csv", "json"):
        name = "out." + kind
        report.equal("%s: exported" % kind, tags(server, "export", name), (0, "", ""))
        report.equal("%s: taken in again" % kind, tags(server, "import", name)[:2], (0, "imported %d tags\n" % len(before)))
        report.equal("%s: which changes nothing" % kind, state(server), before)
        for tag in state(other):
            other.rest("DELETE", "/api/v1/tags/" + urllib.parse.quote(tag["idTag"], safe=""))
        path = os.path.join(server.directory, name)
        report.equal("%s: another server takes it" % kind, tags(other, "import", path)[0], 0)
        report.equal("%s: and has the same tags" % kind, state(other), before)
        report.equal("%s: and exports the same" % kind,
                     (tags(other, "export", name)[0], read(other, name)), (0, read(server, name)))


# name, text, what stderr tells of it line by line
FAULTY = [
    ("faulty.csv", "idTag,note,status\nD1,,\n\n\"D2\",\"two\r\nlines\",Maybe\nD3,,\n" + "x" * 21 + ",,\nd1,,\n,n,\n",
     ["faulty.csv:4: status: expected Accepted, Blocked", "faulty.csv:7: idTag: at most 20", "faulty.csv:8: idTag: is in row 1",
      "faulty.csv:9: idTag: expected a text", "(422): 4 fields do not fit; nothing was imported"]),
    ("faulty.json", '[{"idTag":"D1"},\n\n{"idTag":"D2",\n"maxActive":0.5}, {"idTag":"D3","expiryDate":"soon","colour":"red"},\n'
                    '7,{"idTag":"D4","note":7}, {"idTag":"D5", "maxActive":"2", "parentIdTag":"' + "p" * 21 + '"}]',
     ["faulty.json:3: maxActive: expected an integer", "faulty.json:4: expiryDate: expected a time",
      "faulty.json:4: colour: no such field", "faulty.json:5: expected an object", "faulty.json:5: note: expected a text",
      "faulty.json:5: maxActive: expected an integer", "faulty.json:5: parentIdTag: at most 20", "(422): 7 fields"]),
    ("names.csv", "idTag,stauts,note,note,\nD1,,,,\n",
     ["names.csv:1: stauts: no such column", "names.csv:1: note: the column is there twice", "(422): 2 fields"]),
    ("semicolons.csv", "idTag;status\nD1;Accepted\n", ["semicolons.csv:1: idTag;status: columns are parted by commas", "(422): 2 fields"]),
    ("foreign.csv", b"idTag,n\xf6te\nD1,\n", ["foreign.csv:1: the name of a column is not UTF-8 text", "(422): one field"]),
    ("noname.csv", "note\nD1\n", ["noname.csv:1: idTag: the column is missing"]),
    ("wide.csv", "idTag\nD1\n\nD2,D3\n", ["wide.csv:4: more cells than the first line has names", "(400)"]),
    ("open.csv", "idTag,note\nD1,\nD2,\"open\n\nD3,\n", ["open.csv:3: a quote is not closed", "(400)"]),
    ("behind.csv", "idTag,note\nD1,\"a\"b\n", ["behind.csv:2: text behind a closing quote", "(400)"]),
    ("bytes.csv", "idTag,note\nD\0,\nD2,n\0\n", ["bytes.csv:2: idTag: is not UTF-8", "bytes.csv:3: note: is not UTF-8"]),
    ("empty.csv", "", ["(400): the body is empty"]),
    ("broken.json", '[{"idTag":"D1"},\n{"idTag":"D2"', ["(400): the body is not JSON: ", "byte 31"]),
    ("one.json", '{"idTag":"D1"}', ["(400): expected a JSON array of tags"]),
    ("text.json", "idTag\nD1\n", ["(400): expected a JSON array of tags"]),
]


def faults(report, server):
    before = state(server)
    for name, text, expected in FAULTY:
        (write_bytes if isinstance(text, bytes) else write)(server, name, text)
        status, out, err = tags(server, "import", name)
        report.check("%s is refused by line and field" % name,
                     (status, out) == (1, "") and all(part in err for part in expected), (status, out, err))
    err = tags(server, "import", "-", text=FAULTY[0][1])[2]
    report.check("standard input has lines too", "standard input:4: status: expected" in err, err)
    rows = [{"idTag": "D%d" % n, "status": "?"} for n in range(150)]
    err = tags(server, "import", "-", text=json.dumps(rows))[2]
    report.equal("a flood of faults is cut, and counted", (err.count("expected Accepted"), "150 fields do not fit" in err),
                 (100, True))
    status, problem = server.rest("POST", "/api/v1/tags:import", [{"idTag": "D1"}, {"idTag": ""}])
    report.equal("REST itself tells rows", (status, problem["errors"][0]["pointer"]), (422, "/2/idTag"))
    report.equal("nothing of them was imported", state(server), before)


def refusals(report, server, reader):
    before = state(server)
    for what, status, err in (
            ("no such file", *tags(server, "import", "none.csv")[::2]), ("a folder", *tags(server, "import", ".")[::2]),
            ("a folder to export to", *tags(server, "export", ".")[::2]),
            ("no folder to export to", *tags(server, "export", "none/a.csv")[::2])):
        report.check("%s: a word and status 1" % what, status == 1 and
                     ("No such file or directory" in err or "Is a directory" in err), (status, err))
    write(server, "kept.csv", "as it was")
    for what, key, code in (("a wrong key", "wrong", "(401)"), ("a key that may only read", reader, "(403)")):
        status, _, err = tags(server, "import", "a.csv", CB_REST_KEY=key)
        report.check("%s imports nothing" % what, status == 1 and code in err and "rest.key" in err, (status, err))
    status, _, err = tags(server, "export", "kept.csv", CB_REST_KEY="wrong")
    report.equal("a refused export leaves the file", (status, "(401)" in err, read(server, "kept.csv")), (1, True, "as it was"))
    report.equal("a key that may only read exports", tags(server, "export", "kept.csv", CB_REST_KEY=reader), (0, "", ""))
    report.check("which replaces the file", read(server, "kept.csv").startswith("idTag,"), read(server, "kept.csv")[:80])
    os.symlink("kept.csv", os.path.join(server.directory, "link.csv"))
    write(server, "kept.csv", "")
    report.equal("through a link", (tags(server, "export", "link.csv")[0], os.path.islink(
        os.path.join(server.directory, "link.csv")), read(server, "kept.csv")[:5]), (0, True, "idTag"))
    if os.path.exists("/dev/full"):
        status, _, err = tags(server, "export", "/dev/full")
        report.check("a full disk is told", status == 1 and "No space left" in err, (status, err))
    report.equal("no half-made file is left", [n for n in os.listdir(server.directory) if n.endswith(".part")], [])
    report.equal("usage has status 2", tags(server, "import")[0], 2)
    report.equal("and all tags are as they were", state(server), before)


def many(report, server):
    rows = [{"idTag": "M%06d" % n, "status": "Accepted", "expiryDate": "2030-01-01T00:00:00Z", "parentIdTag": "P%d" % (n % 50),
             "note": "card %d of the fleet {, [" % n, "maxActive": 2} for n in range(MANY)]
    lines = ["idTag,status,expiryDate,parentIdTag,note,maxActive"]
    lines += ['%(idTag)s,%(status)s,%(expiryDate)s,%(parentIdTag)s,"%(note)s",%(maxActive)d' % row for row in rows]
    write(server, "many.csv", "\n".join(lines))
    report.equal("many tags as CSV", tags(server, "import", "many.csv"), (0, "imported %d tags\n" % MANY, ""))
    report.equal("all of them", [t for t in state(server) if t["idTag"][0] == "M"], rows)
    report.equal("come out as JSON", tags(server, "export", "many.json"), (0, "", ""))
    exported = json.loads(read(server, "many.json"))
    report.equal("each once", [t for t in exported if t["idTag"][0] == "M"], rows)
    report.equal("and in again", tags(server, "import", "many.json"), (0, "imported %d tags\n" % len(exported), ""))
    lines[MANY - 5] = "M,Maybe,,,,"
    write(server, "many.csv", "\n".join(lines))
    status, _, err = tags(server, "import", "many.csv")
    report.equal("one fault among many", (status, "many.csv:%d: status: expected" % (MANY - 4) in err), (1, True))
    rows[MANY - 9]["note"] = 7
    write(server, "many.json", json.dumps(rows, indent=0))
    status, _, err = tags(server, "import", "many.json")
    report.equal("also of JSON", (status, "many.json:%d: note: expected a text" % (2 + 8 * (MANY - 9)) in err), (1, True))
    report.equal("nothing changed by them", state(server), exported)
    broken = json.dumps(rows)[:-1]
    err = tags(server, "import", "-", text=broken)[2]
    report.check("JSON that ends too early, by its byte", "byte %d" % (len(broken) + 1) in err, err)
    for kind, text in (("CSV", "idTag\n" + "x\n" * 50001), ("JSON", "[" + '{"idTag":"x"},' * 50001 + "1]")):
        err = tags(server, "import", "-", text=text)[2]
        report.check("more rows than are taken, as " + kind, "more than 50000 rows" in err, err)


def answer_to(server, head, pieces):
    """The whole answer to a request that is written piece by piece, and stops when the server does."""
    with socket.create_connection(("127.0.0.1", server.rest_port), timeout=harness.PATIENCE) as peer:
        peer.sendall(head.encode())
        try:
            for piece in pieces:
                peer.sendall(piece)
        except OSError:
            pass
        with peer.makefile("rb") as answer:
            return answer.read().decode()


def large(report, server):
    before = state(server)
    row = "L%06d,Accepted,,," + "n" * 180 + ",\n"
    write(server, "large.csv", "idTag,status,expiryDate,parentIdTag,note,maxActive\n" + "".join(row % n for n in range(21500)))
    assert os.path.getsize(os.path.join(server.directory, "large.csv")) > LARGEST
    status, _, err = tags(server, "import", "large.csv")
    report.check("too large a file is told", status == 1 and "(413): the body may have %d bytes" % LARGEST in err, (status, err))
    for what, key, code in (("a wrong key", "wrong", "(401)"), ("none", "", "(401)")):
        status, _, err = tags(server, "import", "large.csv", CB_REST_KEY=key)
        report.check("%s is told before the length" % what, status == 1 and code in err, (status, err))
    head = ("POST /api/v1/tags:import HTTP/1.1\r\nHost: h\r\nX-API-Key: %s\r\nContent-Type: text/csv\r\nConnection: close\r\n"
            "Transfer-Encoding: chunked\r\n\r\n" % harness.KEY)
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    answer = answer_to(server, head, [chunk] * (LARGEST // 65536 + 1) + [b"0\r\n\r\n"])
    problem = json.loads(answer.partition("\r\n\r\n")[2] or "{}")
    report.equal("chunks that are too many get the problem document",
                 (answer.split("\r\n")[0], problem.get("status"), problem.get("detail")),
                 ("HTTP/1.1 413 Content Too Large", 413, "the body may have %d bytes at most" % LARGEST))
    answer = answer_to(server, head.replace(harness.KEY, "wrong"), [chunk] * 2 + [b"0\r\n\r\n"])
    report.check("without a key the limit is rest.max_body", "the body may have 65536 bytes at most" in answer, answer[:400])
    other = head.replace("tags:import", "batches").replace("text/csv", "application/json")
    answer = answer_to(server, other, [chunk] * 2 + [b"0\r\n\r\n"])
    report.check("and so it is for other routes", "the body may have 65536 bytes at most" in answer, answer[:400])
    report.equal("all tags are as they were", state(server), before)


def not_running(report, server, port):
    for way in ("import", "export"):
        status, out, err = tags(server, way, "a.csv", port=port)
        report.check("%s without a server" % way,
                     (status, out) == (1, "") and "no answer from the server at http://127.0.0.1:%d" % port in err, (status, err))
    report.check("which leaves the file", read(server, "a.csv").startswith("idTag,status"))


async def main(report):
    with tempfile.TemporaryDirectory(prefix="chargebridge-test-") as folder:
        database = os.path.join(folder, "cb.db")
        reader = subprocess.run([PROGRAM, "keys", "add", "panel", "--scope", "read", "--db", database], cwd=folder, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout.strip()
        with harness.Server(directory=folder) as server:
            both_kinds(report, server)
            with harness.Server() as other:
                round_trip(report, server, other)
                port = other.rest_port
            faults(report, server)
            refusals(report, server, reader)
            not_running(report, server, port)
            many(report, server)
            large(report, server)
            report.equal("no handler failed", [l for l in server.log if l and "level=error" in l], [])


if __name__ == "__main__":
    harness.run(main)
