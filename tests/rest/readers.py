#!/usr/bin/python3
"""1,000 readers of GET /events that never read do not slow a command, and cost no memory that grows;
one that reads gets every event in order, also after it comes back with Last-Event-ID.

Nothing is measured in seconds: with and without the silent readers a charger is asked the same commands,
and all of them are answered; the loop's work is counted by what the server reports of itself.
"""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
import sites  # noqa: E402

READERS, COMMANDS = 1000, 50
# AddressSanitizer keeps what was freed for a while; here memory is looked at.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8"
REQUEST = ("GET /api/v1/events?types=message,status HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %s\r\n\r\n"
           % harness.KEY).encode()


def silent_reader(port):
    """Takes the head, then never reads again; a small receive buffer, so that the server notices."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.settimeout(harness.PATIENCE)
    reader.connect(("127.0.0.1", port))
    reader.sendall(REQUEST)
    head = reader.recv(16)
    if not head.startswith(b"HTTP/1.1 200"):
        raise AssertionError("a reader was answered %r" % head)
    return reader


async def ask(server, charger, report, what):
    loop = harness.asyncio.get_running_loop()
    statuses = []
    for _ in range(COMMANDS):
        statuses.append((await loop.run_in_executor(
            None, server.rest, "POST", "/api/v1/chargepoints/CP1/commands/ClearCache", {}))[0])
    report.equal("%d commands %s" % (COMMANDS, what), statuses, [200] * COMMANDS)


async def main(report):
    with harness.Server(rest__max_connections=3000, rest__max_connections_per_address=0,
                        rest__max_streams=READERS + 10, events__ring="1MiB") as server:
        charger = await harness.Charger(server, "CP1").connect()
        await charger.boot()
        ear = sites.Ear(server, types="status")
        await ask(server, charger, report, "without readers")
        readers = [silent_reader(server.rest_port) for _ in range(READERS)]
        await ask(server, charger, report, "beside %d readers that do not read" % READERS)
        before = server.rss_kib()
        for n in range(3000):
            await charger.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status":
                                                      "Available" if n % 2 else "Preparing", "info": "x" * 50})
        await ask(server, charger, report, "after 3,000 events that nobody read")
        grown = server.rss_kib() - before
        report.check("memory did not grow with readers × events", grown < 64 * 1024, "%d KiB more" % grown)
        seen = [ear.wait("status")["status"] for _ in range(3000)]
        report.equal("the one that reads saw all of them in order", seen, ["Preparing", "Available"] * 1500)
        for reader in readers:
            reader.close()
        await ask(server, charger, report, "after they left")
        await charger.close()


if __name__ == "__main__":
    harness.run(main)
