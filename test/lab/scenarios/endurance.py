# SPDX-License-Identifier: Apache-2.0
"""Twenty swaps in a row, between two kernels in turn; nothing may become more from one to the next."""

import json

from kept.programs import Everything
from kept.servers import Nginx, Redis
from kept.services import Sandbox, Watchdog
from scenarios.swaps import started, swap
from suite import RESERVING, expect, scenario

SWAPS = 20
CALLS = 100
SETTINGS = "Store=auto\n"
# What is allowed is far less than a leak of one a swap would come to.
DESCRIPTORS = 4
GROWTH = 1.15

# In the guest: what segued, systemd and the kept units hold.
COUNT = """
import json, os, subprocess, sys

def process(pid):
    status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status") if ":" in line)
    return {"descriptors": len(os.listdir(f"/proc/{pid}/fd")), "threads": int(status["Threads"]),
            "kib": int(status["RssAnon"].split()[0])}

def show(unit, name):
    return subprocess.run(["systemctl", "show", "-P", name, unit], capture_output=True, text=True).stdout.strip()

def unit(name):
    with open("/sys/fs/cgroup" + show(name, "ControlGroup") + "/cgroup.procs") as file:
        pids = sorted(map(int, file.read().split()))
    return {"pids": pids, "descriptors": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),
            "stored": int(show(name, "NFileDescriptorStore") or 0)}

subprocess.run(["segue", "status"], stdout=subprocess.DEVNULL)
print(json.dumps({"segued": process(show("segued.service", "MainPID")), "systemd": process(1),
                  "units": {name: unit(name) for name in sys.argv[1:]}}))
"""


def count(node, units=()):
    return json.loads(node.output("python3", "/usr/local/lib/count.py", *units))


def expect_no_more(what, before, now):
    for key, slack in (("descriptors", DESCRIPTORS), ("threads", 0), ("stored", 0), ("kib", None)):
        if key in before:
            limit = before[key] * GROWTH if slack is None else before[key] + slack
            expect(now[key] <= limit, f"{what} has {key}={now[key]}, and had {before[key]}")


def called_often(case):
    """One segued that is asked again and again."""
    def ask(times):
        case.node.exec(f"for i in $(seq {times}); do segue status; segue list; segue check --no-trial; done >/dev/null",
                       limit=2400)
    with case.point("calls"):
        ask(3)
        before = count(case.node)["segued"]
        ask(CALLS)
        expect_no_more(f"segued after {CALLS} calls of each kind", before, count(case.node)["segued"])


@scenario(limit=4 * 3600, group="endurance", **RESERVING)
def endurance(case):
    node = case.node
    node.put("/usr/local/lib/count.py", COUNT)
    kept = started(case, (Redis, Nginx, Everything, Watchdog, Sandbox))
    units = [unit for one in kept for unit in one.units]
    called_often(case)
    first = {}
    for number in range(1, SWAPS + 1):
        kernel = "7." if number % 2 else "6.12"
        swap(case, f"{number}", kernel, SETTINGS, kept)
        now = count(node, units)
        # A kernel is compared with itself.
        before = first.setdefault(kernel, now)
        with case.point(f"{number}/count"):
            for process in ("segued", "systemd"):
                expect_no_more(process, before[process], now[process])
            for unit in units:
                expect_no_more(unit, before["units"][unit], now["units"][unit])
                expect(now["units"][unit]["pids"] == before["units"][unit]["pids"], f"{unit} has other processes")
    for one in kept:
        with case.point(f"end/{one.name}"):
            one.end()
