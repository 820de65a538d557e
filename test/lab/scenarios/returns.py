# SPDX-License-Identifier: Apache-2.0
"""Restore fails under the new kernel: the machine returns to the old one, with its programs running."""

from kept.programs import Everything
from kept.servers import Redis
from node import STATUS_RETURNED  # noqa: F401
from suite import expect, scenario

# Names of steps of segue-init that are made to fail, by this file.
FAULT = "/etc/segue/fault"


@scenario(limit=1800, bus="sata")
def returns(case):
    node = case.node
    kept = [kind(node) for kind in (Redis, Everything) if case.wants(kind.name)]
    with case.point("start", needed=True):
        node.configure("[segue]\nStore=disk\nWarm=no\nLazy=no\n")
        for one in kept:
            one.install()
        node.install()
        for one in kept:
            one.start()
    before = node.units(*(unit for one in kept for unit in one.units))
    old = node.guest.kernel()
    for one in kept:
        one.remember(before)
    with case.point("returned", needed=True):
        node.write(FAULT, "restore-units\n")
        status = node.swap(boots=2)
        expect(status["state"] == "returned", f"the swap ended {status['state']}: {status.get('error')}")
        expect(node.guest.kernel() == old, f"the kernel is {node.guest.kernel()}")
        expect(status.get("error") or status.get("reason"), f"it does not say why: {status}")
    after = node.units(*(unit for one in kept for unit in one.units))
    for one in kept:
        with case.point(one.name):
            one.check_units(after)
            one.check()
    with case.point("forward"):
        node.exec("rm", FAULT)
        status = node.swap()
        expect(status["state"] == "done", f"the swap ended {status['state']}: {status.get('error')}")
        expect(node.guest.kernel() != old, f"the kernel is {node.guest.kernel()}")
    for one in kept:
        with case.point(f"forward/{one.name}"):
            one.check()
    for one in kept:
        one.prepare()
    with case.point("segue return", needed=True):
        status = node.swap(command=("segue", "return"))
        expect(status["state"] == "done", f"the swap ended {status['state']}: {status.get('error')}")
        expect(node.guest.kernel() == old, f"the kernel is {node.guest.kernel()}")
    for one in kept:
        with case.point(f"segue return/{one.name}"):
            one.check()
            one.end()
