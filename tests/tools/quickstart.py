"""Runs examples/quickstart.sh as a user would, then the curl lines that it prints, the README's first
change of a rule, then Ctrl-C."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402

LAST_LINE = "Ctrl-C ends both"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def read_until(process, text):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError("quickstart.sh ended early:\n" + "".join(lines))


def curl(line):
    command = line.strip().replace("curl ", "curl -sS ", 1)
    done = subprocess.run(command, shell=True, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=harness.PATIENCE)
    return done.stdout


def until(line, pattern):
    """A curl line, asked again until its answer matches: a car takes a moment to start."""
    for _ in range(200):
        answer = curl(line)
        if re.search(pattern, answer):
            break
    return answer


def block_the_card(report, data, port):
    """The README's next step: block the card, reload; then a mistake, which is refused by file and line."""
    path = os.path.join(data, "policies", "lib", "idtags.lua")
    with open(path) as f:
        text = f.read()
    blocked = text.replace('"Demo vehicle 1" }', '"Demo vehicle 1", blocked = true }')
    reload = ('curl -X POST -H "X-API-Key: changeme-123"'
              " http://localhost:%s/api/v1/policies/reload" % port)
    for name, content, pattern in (("blocking a card loads", blocked, r'"ok":true'),
                                   ("a mistake is refused by file and line",
                                    blocked.replace("blocked = true", "blokked = true"),
                                    r'idtags\.lua","line":\d+,.*did you mean')):
        with open(path, "w") as f:
            f.write(content)
        answer = curl(reload)
        report.check(name, re.search(pattern, answer), answer)


async def main(report):
    data = tempfile.mkdtemp(prefix="chargebridge-quickstart-")
    environment = {**os.environ, "QUICKSTART_DATA": data, "CB_OCPP_PORT": str(free_port()),
                   "CB_REST_PORT": str(free_port()), "SIM_PORT": str(free_port()),
                   "CB_BUILD": harness.BUILD}
    process = subprocess.Popen(["bash", os.path.join(harness.ROOT, "examples/quickstart.sh")],
                               env=environment, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    try:
        text = read_until(process, LAST_LINE)
        lines = [line.strip() for line in text.splitlines() if line.strip().startswith("curl ")]
        report.equal("it prints nine curl lines", len(lines), 9)
        none, plug, start, active, stop, after, unplug, history, status = lines
        for name, line, pattern in (
                ("nobody charges", none, r'"sessions":\[\]'),
                ("a car plugs in", plug, r'"ok":true'),
                ("it is started", start, r'"ok":true'),
                ("its session is active", active, r'"idTag":"VID:FCA47A147858"'),
                ("it is stopped", stop, r'"ok":true'),
                ("nobody charges any more", after, r'"sessions":\[\]'),
                ("it leaves", unplug, r'"ok":true'),
                ("the history has it", history, r'"reason":"Remote"'),
                ("both connectors are free", status, r'"connectorId":2,"status":"Available"')):
            answer = until(line, pattern)
            report.check(name, re.search(pattern, answer), "%s → %s" % (line, answer))
        block_the_card(report, data, environment["CB_REST_PORT"])
        os.killpg(process.pid, signal.SIGINT)
        process.wait(harness.PATIENCE)
        log = open(os.path.join(data, "server.log")).read() + open(os.path.join(data, "charger.log")).read()
        report.check("Ctrl-C ends it cleanly", process.returncode == 0 and "msg=stopped" in log
                     and "Sanitizer" not in log, (process.returncode, log[-3000:]))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    harness.run(main)
