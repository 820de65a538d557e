# SPDX-License-Identifier: Apache-2.0
"""Other root file systems, on other kinds of disk; the boot loader's default follows."""

from kept.servers import Redis
from suite import expect, scenario


def by_hand(node):
    return node.swap()


def by_installation(node):
    """As when the kernel's package has been installed, on a machine that is to follow."""
    node.configure("[segue]\nOnNewKernel=swap\n")
    return node.swap(node.kernel("7."), command=["/etc/kernel/postinst.d/zz-segue"])


def root(case, swap):
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
    kept.remember(node.units(*kept.units))
    with case.point("swap", needed=True):
        status = swap(node)
        expect(status["state"] == "done", f"the swap ended {status['state']}: {status.get('error')}")
        expect(node.guest.kernel().startswith("7."), f"the kernel is {node.guest.kernel()}")
    with case.point("boot default"):
        default = node.output("grep -m1 'set default=.0' /boot/grub/grub.cfg; grep -m1 vmlinuz /boot/grub/grub.cfg")
        expect(f"vmlinuz-{node.guest.kernel()} " in default and default.startswith("set default"), f"GRUB has {default}")
    with case.point("redis"):
        kept.check_units(node.units(*kept.units))
        kept.check()
    kept.end()


@scenario(900, "root-xfs-nvme", filesystem="xfs", bus="nvme")
def root_xfs(case):
    root(case, by_hand)


@scenario(900, "root-btrfs-scsi", filesystem="btrfs", bus="scsi")
def root_btrfs(case):
    root(case, by_installation)
