# SPDX-License-Identifier: Apache-2.0
"""A disk with one partition: made of a directory without mounting anything, or of another disk by mounting both."""

import contextlib
import tempfile
import uuid
from pathlib import Path

from lab.command import run

MIB = 1 << 20
SIZE = 4096 * MIB
START = MIB
# The partition table's copy at the end of the disk.
END = SIZE - MIB


# What else the root file system can be: how it is made on a device, and the kernel's arguments for it.
COPIES = {
    "xfs": (("mkfs.xfs", "-q", "-f", "-L", "root"), ""),
    "btrfs": (("mkfs.btrfs", "-q", "-f", "-L", "root"), "rootflags=subvol=@rootfs"),     # as Debian's installer has it
}
FILESYSTEMS = ("ext4", *COPIES)


def make(disk, tree, identity, log):
    """Make the sparse file `disk` with a partition holding, in ext4, what is under `tree`.

    Both the file system and the partition are named by UUIDs that follow from `identity`.  Returns the kernel's
    root= argument for it.
    """
    partition = uuid.uuid5(identity, "partition")
    with open(disk, "wb") as file:
        file.truncate(SIZE)
    (tree / "etc/fstab").write_text(f"PARTUUID={partition}\t/\text4\terrors=remount-ro\t0\t1\n", encoding="ascii")
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, "-L", "root", "-U", identity,
        "-E", f"offset={START},lazy_itable_init=0,lazy_journal_init=0", disk, f"{(END - START) // 1024}k",
        what="make the root file system", log=log)
    table = (f"label: gpt\nlabel-id: {uuid.uuid5(identity, 'table')}\n"
             f"start={START // 512}, size={(END - START) // 512}, type=linux, uuid={partition}\n")
    run("sfdisk", "-q", "--wipe=never", "--no-tell-kernel", disk, text=table, what="make the partition table", log=log)
    return f"PARTUUID={partition}"


@contextlib.contextmanager
def _loop(disk):
    """The partition of `disk` as a block device."""
    device = run("losetup", "--show", "-f", "-o", START, "--sizelimit", END - START, disk,
                 what="make a loop device").strip()
    try:
        yield device
    finally:
        run("losetup", "-d", device)


@contextlib.contextmanager
def _mounted(device, directory, *options):
    directory.mkdir()
    run("mount", *options, device, directory, what=f"mount {device}")
    try:
        yield directory
    finally:
        run("umount", directory)


def copy(source, target, filesystem):
    """Make `target` of the disk `source`, which make() made, with the same partition but another file system."""
    command, flags = COPIES[filesystem]
    fresh = target.with_suffix(".new")
    with open(fresh, "wb") as file:
        file.truncate(SIZE)
    run("sfdisk", "-q", "--no-tell-kernel", fresh, text=run("sfdisk", "-d", source), what="make the partition table")
    with tempfile.TemporaryDirectory() as work, _loop(source) as old, _loop(fresh) as new:
        run(*command, new, what=f"make an {filesystem}")
        with _mounted(old, Path(work) / "old", "-o", "ro,noload") as tree, \
                _mounted(new, Path(work) / "new") as top:
            inside = top
            if flags:
                inside = top / flags.partition("subvol=")[2]
                run("btrfs", "subvolume", "create", inside, what="make a subvolume")
            run("cp", "-a", f"{tree}/.", inside, what="copy the root file system")
            partition = (inside / "etc/fstab").read_text(encoding="ascii").split()[0]
            (inside / "etc/fstab").write_text(f"{partition}\t/\t{filesystem}\t"
                                              f"{flags.partition('rootflags=')[2] or 'defaults'}\t0\t0\n",
                                              encoding="ascii")
    fresh.rename(target)


def overlay(path, backing, backing_format):
    """Make `path` a disk that differs from `backing` by what will be written to it."""
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", backing_format, "-b", backing, path, what=f"make {path.name}")
