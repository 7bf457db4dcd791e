"""Holds every #include of src/ to the layer table: a new arrow between rooms fails here.

The table is the one of CMakeLists.txt (link lines) and README.md; the three must agree.
"""
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# room: (rooms it may include, prefixes of system headers beyond libc that it may include)
TABLE = {
    "base": (set(), ["openssl/"]),
    "ocpp": ({"base"}, []),
    "station": ({"base", "ocpp"}, []),
    "store": ({"base", "station"}, ["sqlite3.h"]),
    "policy": ({"base", "ocpp", "station"}, ["lua.h", "lauxlib.h", "lualib.h", "luaconf.h"]),
    "net": ({"base", "ocpp"}, ["libwebsockets.h", "uv.h", "curl/"]),
    "http": ({"base"}, ["microhttpd.h"]),
    "sim": ({"base", "ocpp", "net", "http"}, ["lua.h", "lauxlib.h", "lualib.h"]),
    ".": (None, []),  # src/*.c: the wiring sees all rooms and no library
}
LIBC = re.compile(r"^(sys/|netinet/|arpa/|linux/|net/if|sanitizer/)|^(assert|endian|ctype|dirent|errno|fcntl|fenv|float|"
                  r"ftw|getopt|inttypes|libgen|limits|locale|math|netdb|poll|pthread|sched|signal|spawn|"
                  r"stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|"
                  r"syslog|termios|threads|time|unistd)\.h$")
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
LINK = re.compile(r"^room\((\w+)(.*)\)", re.M)


def includes(path):
    with open(path) as f:
        for number, line in enumerate(f, 1):
            found = INCLUDE.match(line)
            if found:
                yield number, found[1] == "<", found[2]


def fault(room, system, name):
    rooms, libraries = TABLE[room]
    if system:
        if LIBC.match(name) or any(name.startswith(p) for p in libraries):
            return None
        return "<%s> is not for %s" % (name, room)
    target = name.split("/")[0] if "/" in name else "."
    if target not in TABLE:
        return '"%s" is no room' % name
    if target == room or rooms is None or target in rooms:
        return None
    return '"%s": %s may not include %s' % (name, room, target)


def link_faults():
    """The link lines of CMakeLists.txt against the table."""
    with open(os.path.join(ROOT, "CMakeLists.txt")) as f:
        text = f.read()
    for room, rest in LINK.findall(text):
        words = rest.split("SYSTEM")[0].split()
        linked = set(words[1:]) if words[:1] == ["ROOMS"] else set()
        if linked != TABLE[room][0]:
            yield "CMakeLists.txt: room(%s) links %s, the table says %s" % (
                room, sorted(linked), sorted(TABLE[room][0]))


def main():
    bad = list(link_faults())
    for path in sorted(glob.glob(os.path.join(ROOT, "src", "**", "*.[ch]"), recursive=True)):
        relative = os.path.relpath(path, os.path.join(ROOT, "src"))
        room = relative.split(os.sep)[0] if os.sep in relative else "."
        for number, system, name in includes(path):
            why = fault(room, system, name)
            if why:
                bad.append("src/%s:%d: %s" % (relative, number, why))
    for line in bad:
        print("FAIL " + line)
    if not bad:
        print("ok   every include and link line obeys the layer table")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
