# SPDX-License-Identifier: Apache-2.0
"""A disk with one partition made of a directory, without mounting anything."""

import uuid

from lab.command import run

MIB = 1 << 20
SIZE = 4096 * MIB
START = MIB
# The partition table's copy at the end of the disk.
END = SIZE - MIB


def _make_ext4(disk, tree, identity, log):
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, "-L", "root", "-U", identity,
        "-E", f"offset={START},lazy_itable_init=0,lazy_journal_init=0", disk, f"{(END - START) // 1024}k",
        what="make the root file system", log=log)


FILESYSTEMS = {"ext4": _make_ext4}


def make(disk, tree, identity, log, filesystem="ext4"):
    """Make the sparse file `disk` with a partition holding what is under `tree`.

    Both the file system and the partition are named by UUIDs that follow from `identity`.  Returns the kernel's
    root= argument for it.
    """
    partition = uuid.uuid5(identity, "partition")
    with open(disk, "wb") as file:
        file.truncate(SIZE)
    (tree / "etc/fstab").write_text(f"PARTUUID={partition}\t/\t{filesystem}\terrors=remount-ro\t0\t1\n",
                                    encoding="ascii")
    FILESYSTEMS[filesystem](disk, tree, identity, log)
    table = (f"label: gpt\nlabel-id: {uuid.uuid5(identity, 'table')}\n"
             f"start={START // 512}, size={(END - START) // 512}, type=linux, uuid={partition}\n")
    run("sfdisk", "-q", "--wipe=never", "--no-tell-kernel", disk, text=table, what="make the partition table", log=log)
    return f"PARTUUID={partition}"


def overlay(path, backing, backing_format):
    """Make `path` a disk that differs from `backing` by what will be written to it."""
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", backing_format, "-b", backing, path, what=f"make {path.name}")
