#!/usr/bin/python3
"""GET /metrics passes `promtool check metrics` and tells what happened. promtool comes from Debian's
package prometheus, unpacked into the build folder: nothing is installed, no daemon starts."""
import glob
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402


def promtool():
    """Its path, or None and why."""
    here = os.path.join(harness.BUILD, "promtool")
    unpacked = os.path.join(here, "usr", "bin", "promtool")
    if shutil.which("promtool"):
        return shutil.which("promtool"), None
    if not os.path.exists(unpacked):
        os.makedirs(here, exist_ok=True)
        got = subprocess.run(["apt-get", "download", "-q", "prometheus"], cwd=here, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        packages = glob.glob(os.path.join(here, "prometheus_*.deb"))
        if not packages:
            return None, got.stdout.strip().splitlines()[-1:]
        subprocess.run(["dpkg", "-x", packages[0], here], check=True)
    return unpacked, None


async def main(report):
    with harness.Server() as server:
        charger = await harness.Charger(server, "CP1").connect()
        await charger.boot()
        for _ in range(3):
            await charger.call("Authorize", {"idTag": "NOBODY"})
        status, text = server.rest("GET", "/api/v1/metrics")
        report.equal("GET /api/v1/metrics", status, 200)
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
        report.equal("CALLs are counted", values.get("chargebridge_calls_received_total"), "4")
        report.equal("charge points by state", values.get('chargebridge_charge_points{state="online"}'), "1")
        for queue in ("store_queue_batches", "store_queue_bytes", "websocket_send_queue_bytes",
                      "websocket_send_queue_max_bytes"):
            report.check("depth of a queue: %s" % queue, values.get("chargebridge_" + queue, "").isdigit(), text)
        tool, why = promtool()
        if tool is None:
            report.check("promtool can be had", False, why)
        else:
            done = subprocess.run([tool, "check", "metrics"], input=text, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
            report.check("promtool check metrics", done.returncode == 0 and not done.stdout.strip(), done.stdout)
        await charger.close()


if __name__ == "__main__":
    harness.run(main)
