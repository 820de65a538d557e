# SPDX-License-Identifier: Apache-2.0
"""Other root file systems, on other kinds of disk: forward and back."""

from kept.servers import Redis
from suite import expect, scenario


def root(case):
    node = case.node
    shape = case.scenario.shape
    kept = Redis(node)
    with case.point("start", needed=True):
        found = node.output("findmnt", "-n", "-o", "FSTYPE,SOURCE", "/")
        expect(found.startswith(shape["filesystem"]), f"the root is {found}")
        kept.install()
        node.install()
        kept.start()
        node.exec("mkdir -p /boot/grub && update-grub", limit=120)
    for name, kernel in (("forward", "7."), ("back", "6.12")):
        kept.remember(node.units(*kept.units))
        with case.point(name, needed=True):
            status = node.swap("--kernel", node.kernel(kernel))
            expect(status["state"] == "done", f"the swap ended {status['state']}: {status.get('error')}")
            expect(node.guest.kernel().startswith(kernel), f"the kernel is {node.guest.kernel()}")
        with case.point(f"{name}/boot default"):
            default = node.output("grep", "-m1", "set default=.*gnulinux", "/boot/grub/grub.cfg")
            expect(f"gnulinux-{node.guest.kernel()}-advanced" in default, f"GRUB has {default}")
        with case.point(f"{name}/redis"):
            kept.check_units(node.units(*kept.units))
            kept.check()
    kept.end()


scenario(900, "root-xfs-nvme", filesystem="xfs", bus="nvme")(root)
scenario(900, "root-btrfs-scsi", filesystem="btrfs", bus="scsi")(root)
scenario(900, "root-ext4-sata", filesystem="ext4", bus="sata")(root)
