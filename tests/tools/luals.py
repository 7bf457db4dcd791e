"""What editors know of the policy API agrees with what there is: lua/meta/chargebridge.lua, .luarc.json.

lua-language-server itself judges the shipped policies if it is installed (no registry that CI reaches has it). Without it:
every type in the file is read by the grammar of LuaCATS and may name only known classes; every row of the API (as the
manual has them) stands there with its type, and nothing else does; every name exists in a running policy, and the shipped
policies use no field that is not there. Each of these judges is first shown a fault that it must find.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.join(os.environ.get("CB_BUILD", os.path.join(ROOT, "build", "test")), "chargebridge")
BUILTIN = {"any", "nil", "boolean", "true", "false", "number", "integer", "string", "table", "function", "self"}
TOKEN = re.compile(r'\s*(?:(?P<name>[A-Za-z_][\w.]*)|(?P<text>"[^"]*")|(?P<number>-?\d+)|(?P<mark>\.\.\.|[(){}\[\]<>,:|?]))')
POLICIES = ["policies"] + sorted(os.path.relpath(p, ROOT) for p in glob.glob(os.path.join(ROOT, "examples", "*", "policies")))


class Fault(Exception):
    pass


class Types:
    """Reads one type; `names` collects the classes that it names."""

    def __init__(self, text):
        self.text, self.at, self.names = text, 0, set()

    def peek(self):
        found = TOKEN.match(self.text, self.at)
        return (found.group(found.lastgroup), found.end(), found.lastgroup) if found else (None, self.at, None)

    def take(self, wanted=None):
        token, end, kind = self.peek()
        if token is None or (wanted and token != wanted):
            raise Fault("expected %s at %r" % (wanted or "a type", self.text[self.at:self.at + 30]))
        self.at = end
        return token, kind

    def accept(self, wanted):
        token, end, _ = self.peek()
        if token != wanted:
            return False
        self.at = end
        return True

    def union(self):
        self.postfix()
        while self.accept("|"):
            self.postfix()

    def postfix(self):
        self.primary()
        while True:
            if self.text.startswith("[]", self.at):
                self.at += 2
            elif self.text.startswith("?", self.at):
                self.at += 1
            else:
                return

    def primary(self):
        token, kind = self.take()
        if token == "(":
            self.union()
            self.take(")")
        elif token == "{":
            self.members()
        elif token == "fun":
            self.function()
        elif kind == "name":
            self.names.add(token)
            if self.text.startswith("<", self.at):
                self.take("<")
                self.list_of(self.union, ">")
        elif kind not in ("text", "number"):
            raise Fault("a type cannot begin with %r" % token)

    def list_of(self, item, end):
        if self.accept(end):
            return
        item()
        while self.accept(","):
            item()
        self.take(end)

    def members(self):
        self.list_of(self.member, "}")

    def member(self):
        if self.accept("["):
            self.union()
            self.take("]")
        else:
            self.take()
            self.accept("?")
        self.take(":")
        self.union()

    def parameter(self):
        token, kind = self.take()
        if kind != "name" and token != "...":
            raise Fault("%r is no parameter" % token)
        self.accept("?")
        if self.accept(":"):
            self.union()

    def function(self):
        self.take("(")
        self.list_of(self.parameter, ")")
        if self.accept(":"):
            self.result()

    def result(self):
        token, end, kind = self.peek()
        if kind == "name" and TOKEN.match(self.text, end) and self.text[end:end + 1] == ":":
            self.at = end + 1  # `status: string?`
        self.union()


def read_type(text):
    """(what of the text is the type, the classes that it names); Fault."""
    types = Types(text)
    types.union()
    while types.text.startswith(", ", types.at):  # a function's further results
        types.at += 1
        types.result()
    return text[:types.at], types.names


class Meta:
    """The file: classes with their fields, globals, aliases."""

    def __init__(self, text):
        self.classes, self.globals, self.named, self.tables = {}, {}, set(), set()
        self.aliases = set()
        self.current = self.type = None
        self.docs = []
        for number, line in enumerate(text.splitlines(), 1):
            try:
                self.line(line)
            except Fault as fault:
                raise Fault("line %d: %s" % (number, fault)) from None
        unknown = self.named - BUILTIN - set(self.classes) - self.aliases
        if unknown:
            raise Fault("names no class: %s" % ", ".join(sorted(unknown)))

    def named_in(self, text):
        kind, names = read_type(text)
        self.named |= names
        return kind

    def line(self, line):
        found = re.match(r"---@(\w+) ?(.*)$", line)
        if found:
            handler = getattr(self, "tag_" + found[1], None)
            if not handler:
                raise Fault("what is ---@%s?" % found[1])
            handler(found[2])
        elif line.startswith("---"):
            self.docs.append(line[3:])
        elif line.startswith("--"):
            pass
        elif not line:
            self.current = self.type = None
            self.docs = []
        else:
            self.code(line)

    def tag_meta(self, rest):
        pass

    def tag_alias(self, rest):
        name, kind = rest.split(" ", 1)
        self.aliases.add(name)
        self.named_in(kind)

    def tag_class(self, rest):
        if not re.fullmatch(r"[a-z_]+", rest) or rest in self.classes:
            raise Fault("class %r" % rest)
        self.current = rest
        self.classes[rest] = {}

    def tag_operator(self, rest):
        found = re.fullmatch(r"call\((.*)\): (.*)", rest)
        if not found or not self.current:
            raise Fault("operator %r" % rest)
        self.named_in(found[1])
        self.named_in(found[2])

    def tag_field(self, rest):
        if not self.current:
            raise Fault("a field of no class")
        if rest.startswith("[string] "):
            self.named_in(rest[len("[string] "):])
            return
        name, rest = rest.split(" ", 1)
        kind = self.named_in(rest)
        if name in self.classes[self.current] or not re.fullmatch(r"\w+", name):
            raise Fault("field %s.%s" % (self.current, name))
        if not re.match(r" \S", rest[len(kind):]):
            raise Fault("field %s.%s says nothing of itself" % (self.current, name))
        self.classes[self.current][name] = (kind, rest[len(kind) + 1:])

    def tag_type(self, rest):
        self.type = self.named_in(rest)
        if self.type != rest:
            raise Fault("what is behind the type: %r" % rest[len(self.type):])

    def code(self, line):
        found = re.fullmatch(r"(\w+) = (nil|\{\})", line)
        if not found:
            raise Fault("%r is no declaration" % line)
        if found[2] == "{}":
            if found[1] != self.current:
                raise Fault("%s is not the class %s" % (found[1], self.current))
            self.tables.add(found[1])
        else:
            self.globals[found[1]] = (self.type, " ".join(self.docs))
            self.type, self.docs = None, []


def manual_rows():
    """{"tx.stop": (type, doc)} from the manual, globals without a dot."""
    text = subprocess.run([BINARY, "api", "--manual"], text=True, stdout=subprocess.PIPE, check=True).stdout
    rows = {}
    for name, kind, doc in re.findall(r"^\| `([\w.]+)` \| `(.*)` \| (.*) \|$", text, re.M):
        rows[name] = (kind.replace("\\|", "|"), doc.replace("\\|", "|"))
    return rows


def disagreements(meta, rows):
    have = {"%s.%s" % (name, field): known for name, fields in meta.classes.items() for field, known in fields.items()}
    have.update(meta.globals)
    for name in sorted(set(have) ^ set(rows)):
        yield "%s is only in %s" % (name, "the types" if name in have else "the rows")
    for name in sorted(set(have) & set(rows)):
        if have[name] != rows[name]:
            yield "%s: the types say %r, the rows %r" % (name, have[name], rows[name])


def runtime_policy(meta):
    """A folder of policies in which every name of the file is used."""
    libraries = sorted(meta.tables - {"on"})
    names = sorted(n for n in meta.globals if n not in ("test", "t"))
    names += ["%s.%s" % (table, field) for table in libraries for field in sorted(meta.classes[table])]
    policy = ['local function use(...) return ... end',
              'site "depot" { chargers = { "CP1" }, fuse = 100 }',
              'webhook "crm" { url = "http://a/" }',
              'route("GET /use", function() return 200, { use(%s) ~= nil } end)' % ", ".join(names)]
    policy += ["function on.%s() end" % event for event in sorted(meta.classes["on"])]
    objects = {"tx": 't.transaction { cp = "CP1", idTag = "A" }', "cp": 'chargepoint "CP1"', "site": 'site "depot"',
               "window": 'window "08:00-09:00"', "webhook": 'webhook "crm"', "t": "t"}
    tests = ['local function has(object, field, what)',
             '  local ok, why = pcall(function() return object[field] end)',
             '  if not ok then error(what .. "." .. field .. ": " .. tostring(why), 0) end',
             '  if what == "t" and why == nil then error("t." .. field .. " is not there", 0) end',
             'end',
             'test("objects", function(t)', '  t.connect "CP1"', '  t.allow_errors()']
    for name, make in objects.items():
        tests += ["  do local object = %s" % make]
        tests += ["    has(object, %s, %s)" % (json.dumps(field), json.dumps(name)) for field in sorted(meta.classes[name])]
        tests += ["  end"]
    tests += ["end)", 'test("libraries", function(t)']
    for table in libraries:
        tests += ["  for key in pairs(%s) do if not (%s)[key] then error(%s .. key, 0) end end"
                  % (table, "{ %s }" % ", ".join("[%s] = true" % json.dumps(f) for f in sorted(meta.classes[table])),
                     json.dumps("the types do not have %s." % table))]
    tests += ["end)"]
    return "\n".join(policy), "\n".join(tests)


def runtime_fault(meta):
    """What a running policy finds wrong with the names of the file; None if nothing."""
    policy, tests = runtime_policy(meta)
    with tempfile.TemporaryDirectory(prefix="chargebridge-luals-") as folder:
        os.mkdir(os.path.join(folder, "tests"))
        for name, text in (("10-use.lua", policy), ("tests/use.lua", tests)):
            with open(os.path.join(folder, name), "w") as f:
                f.write(text)
        done = subprocess.run([BINARY, "check", folder], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return None if done.returncode == 0 else done.stdout.replace(folder + "/", "")


USE = re.compile(r"(?<![\w.:])(tx|cp|site|t|http|store|json|log)([.:])(\w+)")


def uses(meta, path, text):
    """Fields of well-known names that no class has."""
    text = re.sub(r"--.*", "", text)
    text = re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', text)
    for found in USE.finditer(text):
        name, field = found[1], found[3]
        if name in meta.classes and field not in meta.classes[name]:
            if name == "t" and "/tests/" not in path:
                continue  # somebody's own table
            yield "%s:%d: %s%s%s is not in the types" % (path, text.count("\n", 0, found.start()) + 1, *found.groups())


def policy_files():
    for folder in POLICIES:
        for path in sorted(glob.glob(os.path.join(ROOT, folder, "**", "*.lua"), recursive=True)):
            with open(path) as f:
                yield os.path.relpath(path, ROOT), f.read()


def configuration_fault(folder):
    path = os.path.join(ROOT, folder, ".luarc.json")
    if not os.path.exists(path):
        return "there is none"
    with open(path) as f:
        settings = json.load(f)
    if settings.get("runtime.version") != "Lua 5.4":
        return "runtime.version must be Lua 5.4"
    places = [os.path.join(ROOT, folder, place) for place in settings["workspace.library"]]
    if not any(os.path.exists(os.path.join(place, "chargebridge.lua")) for place in places):
        return "workspace.library does not lead to chargebridge.lua"
    return None


class Report:
    def __init__(self):
        self.bad = 0

    def check(self, name, ok, why=""):
        print("ok   %s" % name if ok else "FAIL %s: %s" % (name, str(why).strip()[:1500]))
        self.bad += not ok


def faults_are_found(report, text, rows):
    """Each judge says no to a file that is wrong in its way."""
    def meta_of(broken):
        try:
            return Meta(broken), None
        except Fault as fault:
            return None, str(fault)
    for name, before, after in [("a class that is none", "fun(cp: cp", "fun(cp: chargepoint"),
                                ("a broken signature", "---@type fun(", "---@type fun((,"),
                                ("a parameter without a name", "fun(self: tx", "fun(: tx"),
                                ("a field without words", re.search(r"---@field contains (\S+ )+?boolean", text)[0] + " ",
                                 "---@field contains fun(): boolean\n---@field x "),
                                ("code that is none", "now = nil", "now = 5")]:
        assert before in text, before
        report.check("finds %s" % name, meta_of(text.replace(before, after, 1))[1] is not None)
    line = re.search(r"^---@field stop fun\(self: tx.*\n", text, re.M)[0]
    lacking = Meta(text.replace(line, "", 1))
    report.check("finds a row that is missing", any("tx.stop" in d for d in disagreements(lacking, rows)))
    wrong = Meta(text.replace(line, line.replace("self: tx", "self: tx, more: any"), 1))
    report.check("finds another signature", any("tx.stop" in d for d in disagreements(wrong, rows)))
    report.check("finds a use of what is not there", any(uses(lacking, "a", 'tx:stop "x"')))
    for before, after in [("---@field stop fun(self: tx", "---@field halt fun(): any x\n---@field stop fun(self: tx"),
                          ("now = nil", "now = nil\n\n---X\n---@type any\nnever = nil"),
                          ("---@field encode ", "---@field encoded ")]:
        why = runtime_fault(Meta(text.replace(before, after, 1)))
        report.check("a running policy finds %s" % re.search(r"halt|never|encoded", after)[0], why is not None)


def main():
    report = Report()
    with open(os.path.join(ROOT, "lua", "meta", "chargebridge.lua")) as f:
        text = f.read()
    rows = manual_rows()
    try:
        meta = Meta(text)
    except Fault as fault:
        report.check("lua/meta/chargebridge.lua", False, fault)
        return 1
    fields = sum(len(fields) for fields in meta.classes.values())
    report.check("%d types of %d classes and %d globals are read" % (fields + len(meta.globals), len(meta.classes),
                                                                     len(meta.globals)), fields > 100)
    found = list(disagreements(meta, rows))
    report.check("they are the %d rows of the API" % len(rows), not found, "\n".join(found))
    why = runtime_fault(meta)
    report.check("every name is there in a running policy", why is None, why)
    found = [fault for path, source in policy_files() for fault in uses(meta, path, source)]
    report.check("the shipped policies use no other", not found, "\n".join(found))
    for folder in POLICIES:
        why = configuration_fault(folder)
        report.check("%s/.luarc.json" % folder, why is None, why)
    faults_are_found(report, text, rows)
    server = shutil.which("lua-language-server")
    if not server:
        print("skip lua-language-server is not installed: what it would say of the policies")
        return 1 if report.bad else 0
    for folder in POLICIES:
        done = subprocess.run([server, "--check", os.path.join(ROOT, folder), "--checklevel=Warning"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        report.check("lua-language-server --check %s" % folder, done.returncode == 0, done.stdout[-1500:])
    return 1 if report.bad else 0


if __name__ == "__main__":
    sys.exit(main())
