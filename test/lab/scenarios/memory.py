# SPDX-License-Identifier: Apache-2.0
"""Captures in memory that both kernels leave alone."""

from kept.programs import Hold
from kept.servers import Redis
from suite import RESERVING, expect, scenario


# MiB: of the guest's memory, the kernel keeps some 70 for itself, and the region is 512.
TOTAL_LENT = 2048 - 150
# More than the region takes, but not if it is compressed.
LARGE = {"mib": 560, "words": 64}


def total(node):
    """MemTotal in MiB."""
    return int(node.output("grep MemTotal /proc/meminfo").split()[1]) >> 10


@scenario(limit=1200, **RESERVING)
def memory(case):
    node = case.node
    kept = [Redis(node), Hold(node)]
    with case.point("lent"):
        node.wait("the region to be lent to the system", lambda: total(node) > TOTAL_LENT, limit=120)
    with case.point("start", needed=True):
        node.configure("[segue]\nStore=ram\nReserveRam=600M\n")
        for one in kept:
            one.install()
        node.install()
        for one in kept:
            one.start()
        check = node.segue_json("check")
        expect(check["store"]["kind"] == "ram", f"segue check tells {check['store']}")
    with case.point("swap", needed=True):
        before = node.units(*(unit for one in kept for unit in one.units))
        for one in kept:
            one.remember(before)
        status = node.swap()
        expect(status["state"] == "done", f"the swap ended {status['state']}: {status.get('error')}")
        expect(node.guest.kernel().startswith("7."), f"the kernel is {node.guest.kernel()}")
    with case.point("warm"):
        rounds = status["warm_bytes"]
        expect(len(rounds) > 1 and rounds[0] >= kept[1].mib << 20, f"copied in advance, by round: {rounds}")
        expect(rounds[-1] < rounds[0] / 3, f"the rounds did not become smaller: {rounds}")
        expect(not status["warnings"] or "advance" not in str(status["warnings"]), f"warned: {status['warnings']}")
    with case.point("lazy"):
        expect(status["lazy_bytes"] > kept[1].mib << 19, f"came after the programs ran: {status['lazy_bytes']} bytes")
    after = node.units(*(unit for one in kept for unit in one.units))
    for one in kept:
        with case.point(one.name):
            one.check_units(after)
            one.check()
    with case.point("nothing on disk"):
        found = node.output("find", "/var/lib/segue", "-name", "pages-*.img", check=False)
        expect(not found, f"found {found}")
    with case.point("grown"):
        line = node.read("/proc/cmdline")
        expect("memmap=642M!1022M" in line and "514M" not in line, f"the command line is {line}")
    with case.point("lent again"):
        expect(total(node) > TOTAL_LENT, f"MemTotal is {total(node)} MiB")
    for one in kept:
        one.end()


@scenario(limit=1200, **RESERVING)
def compressed(case):
    """Captures that fit into the region only when they are compressed."""
    node = case.node
    hold = Hold(node, **LARGE)
    with case.point("start", needed=True):
        node.configure("[segue]\nStore=auto\nCompressRam=no\n")
        hold.install()
        node.install()
        hold.start()
    with case.point("not"):
        check = node.segue_json("check")
        expect(check["store"]["kind"] == "disk", f"segue check tells {check['store']}")
    with case.point("check", needed=True):
        node.configure("[segue]\nStore=auto\n")
        check = node.segue_json("check")
        expect(check["store"]["kind"] == "ram" and "compressed" in str(check["findings"]), f"segue check tells {check}")
    with case.point("swap", needed=True):
        hold.remember(node.units(*hold.units))
        status = node.swap()
        expect(status["state"] == "done", f"the swap ended {status['state']}: {status.get('error')}")
        expect(node.guest.kernel().startswith("7."), f"the kernel is {node.guest.kernel()}")
    with case.point("nothing on disk"):
        found = node.output("find", "/var/lib/segue", "-name", "pages-*.img", check=False)
        expect(not found, f"found {found}")
    with case.point(hold.name):
        hold.check_units(node.units(*hold.units))
        hold.check()
    hold.end()
