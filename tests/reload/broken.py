#!/usr/bin/python3
"""Some forty broken policies (broken.txt, and what cannot be written as text), one reload each, while
200 chargers stay connected and answered. Each must be refused whole, with file and line, and the old
policies must go on. The same folder then loads again once the broken file is gone.
"""
import asyncio
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import harness  # noqa: E402
from harness import ROOT, Charger, Server  # noqa: E402

CHARGERS = 200
TAG = "VID:FCA47A147858"
BROKEN = "50-broken.lua"


def sections():
    """(name, line, message, text) of broken.txt"""
    found = []
    with open(os.path.join(HERE, "broken.txt")) as f:
        for line in f:
            if line.startswith("== "):
                name, number, message = (part.strip() for part in line[3:].split("|"))
                found.append([name, int(number), message, ""])
            elif found:
                found[-1][3] += line
    return [(name, line, message, text.rstrip("\n") + "\n") for name, line, message, text in found]


class Folder:
    """A copy of the default policies to break."""

    def __init__(self):
        self.base = tempfile.mkdtemp(prefix="chargebridge-broken-")
        self.path = os.path.join(self.base, "policies")
        self.restore()

    def restore(self):
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(os.path.join(ROOT, "policies"), self.path)

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w") as f:
            f.write(text)

    def remove(self, name):
        os.remove(os.path.join(self.path, name))


async def reload(server):
    return await asyncio.to_thread(server.rest, "POST", "/api/v1/policies/reload")


def names(errors, file, line, message):
    return any(e["file"].endswith(file) and (line == 0 or e["line"] == line)
               and message.lower() in e["message"].lower() for e in errors)


async def one_broken(report, server, name, file, line, message):
    status, answer = await reload(server)
    errors = answer.get("errors", []) if isinstance(answer, dict) else []
    report.check("refused: " + name, status == 409 and names(errors, file, line, message),
                 "expected %s:%d …%s…, got %d %r" % (file, line, message, status, answer))


async def not_text(report, server, folder):
    """What goes wrong with files rather than in them."""
    for name in os.listdir(folder.path):
        path = os.path.join(folder.path, name)
        shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    await one_broken(report, server, "empty folder", "", 0, "no ")
    shutil.rmtree(folder.path)
    await one_broken(report, server, "no folder", "", 0, "")
    folder.restore()
    os.symlink("/etc/hostname", os.path.join(folder.path, BROKEN))
    await one_broken(report, server, "symlink out of the folder", BROKEN, 0, "link")
    folder.remove(BROKEN)
    os.mkdir(os.path.join(folder.path, BROKEN))
    await one_broken(report, server, "a folder named like a file", BROKEN, 0, "")
    os.rmdir(os.path.join(folder.path, BROKEN))
    os.symlink("nowhere.lua", os.path.join(folder.path, BROKEN))
    await one_broken(report, server, "dangling symlink", BROKEN, 0, "")
    folder.remove(BROKEN)
    with open(os.path.join(folder.path, BROKEN), "wb") as f:
        f.write(b"\x1bLua\x54\x00")
    await one_broken(report, server, "bytecode", BROKEN, 0, "")
    folder.remove(BROKEN)
    folder.write("tests/zz-fails.lua", 'test("one is two", function(t) t.eq(1, 2) end)\n')
    await one_broken(report, server, "a failing policy test", "tests/zz-fails.lua", 1, "")
    folder.remove("tests/zz-fails.lua")


class Traffic:
    """Chargers that ask and ask; `bad` collects everything that is not the expected answer."""

    def __init__(self, server):
        self.chargers = [Charger(server, "BROKEN%03d" % n) for n in range(CHARGERS)]
        self.bad, self.rounds, self.over = [], 0, False

    async def start(self):
        for charger in self.chargers:
            await charger.connect()
            await charger.boot()
        self.tasks = [asyncio.ensure_future(self.ask(c)) for c in self.chargers]

    async def ask(self, charger):
        try:
            while not self.over:
                answer = await charger.call("Authorize", {"idTag": TAG})
                if answer["idTagInfo"]["status"] != "Accepted":
                    self.bad.append((charger.identity, answer))
                self.rounds += 1
                await asyncio.sleep(0)
        except Exception as error:  # noqa: BLE001
            self.bad.append((charger.identity, repr(error)))

    async def stop(self):
        self.over = True
        await asyncio.gather(*self.tasks)
        lost = [c.identity for c in self.chargers if not c.connected]
        extra = [c.identity for c in self.chargers if c.extra_answers]
        for charger in self.chargers:
            await charger.close()
        return lost, extra


async def main(report):
    folder = Folder()
    try:
        with Server(policies=folder.path, policies__load_file="1s",
                    policies__memory="8MiB") as server:
            traffic = Traffic(server)
            await traffic.start()
            _, before = await asyncio.to_thread(server.rest, "GET", "/api/v1/policies")
            cases = sections()
            report.check("at least 40 broken files", len(cases) + 7 >= 40, len(cases))
            for name, line, message, text in cases:
                folder.write(BROKEN, text)
                await one_broken(report, server, name, BROKEN, line, message)
            folder.remove(BROKEN)
            await not_text(report, server, folder)
            _, after = await asyncio.to_thread(server.rest, "GET", "/api/v1/policies")
            report.equal("the generation never changed", after["generation"], before["generation"])
            status, answer = await reload(server)
            report.check("the mended folder loads", status == 200, answer)
            rounds = traffic.rounds
            lost, extra = await traffic.stop()
            report.equal("nobody was disconnected", lost, [])
            report.equal("no answer was lost or doubled", (traffic.bad[:3], extra), ([], []))
            report.check("all were answered meanwhile (%d)" % rounds, rounds > 2 * CHARGERS)
    finally:
        shutil.rmtree(folder.base, ignore_errors=True)


if __name__ == "__main__":
    harness.run(main)
