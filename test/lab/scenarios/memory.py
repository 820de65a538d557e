# SPDX-License-Identifier: Apache-2.0
"""Captures in memory that both kernels leave alone."""

from kept.servers import Redis
from suite import expect, scenario


@scenario(limit=600, memory=2048, append="memmap=512M!1G")
def memory(case):
    node = case.node
    kept = Redis(node)
    with case.point("start", needed=True):
        node.configure("[segue]\nStore=ram\n")
        kept.install()
        node.install()
        kept.start()
        check = node.segue_json("check")
        expect(check["store"]["kind"] == "ram", f"segue check tells {check['store']}")
    with case.point("swap", needed=True):
        kept.remember(node.units(*kept.units))
        status = node.swap()
        expect(status["state"] == "done", f"the swap ended {status['state']}: {status.get('error')}")
        expect(node.guest.kernel().startswith("7."), f"the kernel is {node.guest.kernel()}")
    with case.point("redis"):
        kept.check_units(node.units(*kept.units))
        kept.check()
    with case.point("nothing on disk"):
        found = node.output("find", "/var/lib/segue", "-name", "pages-*.img", check=False)
        expect(not found, f"found {found}")
    with case.point("wiped"):
        found = node.output("dd if=/dev/pmem0 bs=1M count=512 status=none | grep -a -c -m 1 vvvvvvvvvvvvvvvvvvvvvvvv",
                            check=False, limit=120)
        expect(found == "0", "Redis's memory can still be read in the region")
    kept.end()
