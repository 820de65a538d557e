# SPDX-License-Identifier: Apache-2.0
"""Forward, back and forward again, with everything that is kept in one guest."""

from kept.network import Network
from kept.programs import Datagrams, Everything, Talk, Upstream
from kept.servers import Nginx, Redis
from kept.services import Exec, Forking, Notify, Sandbox, Scope, Simple, Watchdog
from kept.terminal import Tmux
from suite import RESERVING, Abandoned, expect, scenario

KEPT = (Network, Redis, Nginx, Everything, Datagrams, Upstream, Talk, Simple, Exec, Forking, Notify, Watchdog, Sandbox,
        Scope, Tmux)
# With those of the scenarios returns and memory, each two of the settings meet in each way.
ROUTE = (("forward", "7.", "Store=disk\nWarm=yes\nLazy=yes\n"),
         ("back", "6.12", "Store=ram\nWarm=no\nLazy=yes\n"),
         ("again", "7.", "Store=ram\nWarm=yes\nLazy=no\nLendRam=no\n"))


def started(case, kinds):
    """All of `kinds` that is wanted, set up; one that cannot be is told and left out."""
    kept = [kind(case.node) for kind in kinds if case.wants(kind.name)]
    with case.point("install", needed=True):
        for one in kept:
            one.install()
        case.node.install()
    good = []
    for one in kept:
        with case.point(f"start/{one.name}"):
            one.start()
            good.append(one)
    return good


def swap(case, name, kernel, settings, kept):
    node = case.node
    node.configure(f"[segue]\n{settings}")
    for one in kept:
        one.prepare()
    units = [unit for one in kept for unit in one.units]
    before = node.units(*units)
    for one in kept:
        one.remember(before)
    target = node.kernel(kernel)
    with case.point(name, needed=True):
        status = node.swap("--kernel", target)
        expect(status["state"] == "done", f"the swap ended {status['state']}: {status.get('error')}")
        expect(node.guest.kernel() == target, f"the kernel is {node.guest.kernel()}, not {target}")
        outcomes = {unit["unit"]: unit["outcome"] for unit in status["units"]}
        wrong = {unit: outcomes.get(unit) for unit in units if outcomes.get(unit) != "carried"}
        expect(not wrong, f"not carried: {wrong}")
    with case.point(f"{name}/blackout"):
        expect(status["blackout_s"] and 0 < status["blackout_s"] < 180, f"the blackout is {status['blackout_s']} s")
    after = node.units(*units)
    for one in kept:
        with case.point(f"{name}/{one.name}"):
            one.check_units(after)
            one.check()


def adopted(case, kept):
    """An adopted unit obeys as any other."""
    node = case.node
    unit = "service-simple" if any(one.name == "service-simple" for one in kept) else kept[0].units[0]
    before = node.units(f"{unit}.service" if "." not in unit else unit).popitem()[1]["MainPID"]
    with case.point("adopted/status"):
        text = node.output("systemctl", "status", "--no-pager", unit)
        expect(f"Main PID: {before}" in text and "active (running)" in text, f"systemctl status says:\n{text}")
    with case.point("adopted/restart"):
        node.exec("systemctl", "restart", unit)
        now = node.output("systemctl", "show", "-P", "MainPID", unit)
        expect(now not in ("0", before), f"its process is {now} after a restart, and was {before}")
        expect(not node.exec("kill", "-0", before, check=False).returncode == 0, f"process {before} still runs")
    with case.point("adopted/stop"):
        node.exec("systemctl", "stop", unit)
        state = node.output("systemctl", "show", "-P", "ActiveState", unit)
        expect(state == "inactive", f"it is {state}")
        expect(node.exec("kill", "-0", now, check=False).returncode != 0, f"process {now} still runs")


def ended(case, names):
    node = case.node
    with case.point("wiped"):
        found = node.output("find", "/var/lib/segue/capture", "-name", "*.img", check=False)
        expect(not found, f"captures are left:\n{found}")
        # As the last of the swaps does not lend it, it is as that left it; Redis has a lot of these.
        found = node.output("dd if=/dev/pmem0 bs=1M status=none | LC_ALL=C grep -a -c -F -m 1 vvvvvvvvvvvvvvvvvvvv",
                            check=False, limit=240)
        expect(found == "0", "Redis's memory can still be read in the region")
    with case.point("log"):
        log = node.segue_json("log")
        expect([swap["state"] for swap in log] == ["done"] * len(names), f"segue log has {log}")


@scenario(limit=2400, **RESERVING)
def swaps(case):
    kept = started(case, KEPT)
    done = []
    try:
        for name, kernel, settings in ROUTE:
            swap(case, name, kernel, settings, kept)
            done.append(name)
    except Abandoned:
        # What was not reached did not pass.
        for name, *_ in ROUTE[len(done):]:
            for one in kept:
                with case.point(f"{name}/{one.name}"):
                    expect(False, "not reached: the swap failed")
        raise
    finally:
        if len(done) == len(ROUTE):
            for one in kept:
                with case.point(f"end/{one.name}"):
                    one.end()
    if any(one.units for one in kept):
        adopted(case, [one for one in kept if one.units])
    ended(case, done)
