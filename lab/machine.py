# SPDX-License-Identifier: Apache-2.0
"""A virtual machine: a QEMU process in the background, with a monitor, a serial console and a cable to the bridge."""

import contextlib
import os
import shutil
import signal
import subprocess
import uuid
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from lab import cache, disk, host, network, wait
from lab.command import tail
from lab.error import LabError
from lab.qmp import Qmp

END_LIMIT = 20
CONSOLE_LINES = 20


@dataclass(frozen=True)
class Shape:
    """What a machine is made of."""
    kernel: str
    memory: int = 1024
    cpus: int = 2
    append: str = ""
    filesystem: str = "ext4"    # of the root, see disk.py
    bus: str = "virtio"         # that its disk is on, see BUSES
    layer: str = ""             # of the image, see image.py

    @classmethod
    def told(cls, told):
        """The one that a description of a machine tells of."""
        return cls(**{field.name: told[field.name] for field in fields(cls)})

    @property
    def can_be_saved(self):
        return self.bus != "nvme"       # QEMU: "nvme is not migratable"


class Machine:
    """The machine of guest `name`; it exists while its QEMU process does."""

    def __init__(self, name):
        network.number(name)
        self.name = name
        self.path = cache.root() / "run" / name

    @property
    def disk(self):
        return self.path / "disk.qcow2"

    @property
    def console(self):
        return self.path / "console.log"

    @property
    def monitor(self):
        return self.path / "monitor"

    @property
    def description(self):
        """What it was started with, as written by start(); {} if it never was."""
        return cache.read_json(self.path / "machine.json", {})

    def pid(self):
        """The QEMU process, or None."""
        try:
            pid = int((self.path / "pid").read_text(encoding="ascii"))
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if str(self.monitor).encode() in command else None

    def start(self, image, shape, accelerator, backing, resume=None):
        """Start on a fresh overlay of the disk `backing` (a path and its format).

        Boots `shape.kernel` of `image`, or goes on from the saved state `resume`.
        """
        self.require_down()
        self.path.mkdir(parents=True, exist_ok=True)
        self.disk.unlink(missing_ok=True)
        disk.overlay(self.disk, *backing)
        self._run(image, shape, accelerator, resume)

    def require_down(self):
        if self.pid():
            raise LabError(f"{self.name} is up already; `lab/lab down {self.name}` ends it")

    def start_again(self, image):
        """Start it as it was started first, after its end: its kernel boots, on the disk as it was left."""
        told = self.description
        self._run(image, Shape.told(told), told["accelerator"], None)

    def _run(self, image, shape, accelerator, resume):
        for file in (self.console, self.monitor, self.path / "pid", self.path / "serial"):
            file.unlink(missing_ok=True)
        network.add_tap(self.name)
        cache.write_json(self.path / "machine.json",
                         {**asdict(shape), "image": image.id, "accelerator": accelerator})
        argv = self.argv(image, shape, accelerator) + (["-incoming", "defer"] if resume else [])
        with open(self.path / "qemu.log", "w", encoding="utf-8") as log:
            log.write(" ".join(map(str, argv)) + "\n")
            log.flush()
            done = subprocess.run(network.in_lab(*argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
        if done.returncode != 0:
            text = (self.path / "qemu.log").read_text(encoding="utf-8", errors="replace")
            raise LabError(f"QEMU does not start for {self.name}:\n{tail(text.partition(chr(10))[2])}")
        if resume:
            with self.qmp() as qmp:
                qmp.load(resume)

    def argv(self, image, shape, accelerator):
        """The QEMU that start() runs: what of it is the same can resume the same saved states."""
        kernel, initrd = image.boot_files(shape.kernel)
        root = image.root_arguments(shape.filesystem)
        arguments = f"root={root} console=tty0 console=ttyS0,115200 {shape.append}".strip()
        return [host.QEMU, "-name", f"segue-lab-{self.name}", "-machine", "pc", *ACCELERATORS[accelerator],
                "-uuid", uuid.uuid5(uuid.NAMESPACE_OID, self.name), "-m", shape.memory, "-smp", shape.cpus,
                "-nodefaults", "-no-user-config", "-display", "none",
                "-kernel", kernel, "-initrd", initrd, "-append", arguments,
                "-drive", f"if=none,id=root,format=qcow2,cache=unsafe,discard=unmap,file={self.disk}",
                *BUSES[shape.bus],
                "-netdev", f"tap,id=cable,ifname={self.name},script=no,downscript=no",
                "-device", f"virtio-net-pci,netdev=cable,mac={network.mac(self.name)}",
                "-object", "rng-random,id=entropy,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=entropy",
                # Tells the kernel that it was resumed: it then takes new random numbers.
                "-device", "vmgenid,guid=auto",
                "-chardev", f"socket,id=serial,path={self.path / 'serial'},server=on,wait=off,logfile={self.console}",
                "-serial", "chardev:serial",
                "-qmp", f"unix:{self.monitor},server=on,wait=off",
                "-pidfile", self.path / "pid", "-daemonize"]

    def qmp(self):
        """A connection to the monitor; one at a time."""
        self.require_up()
        return Qmp(self.monitor)

    def require_up(self):
        if not self.pid():
            raise LabError(f"{self.name} is not up; `lab/lab up {self.name}` starts it\n{self.last_lines()}".rstrip())

    def reset(self):
        """As the reset button: the kernel that the machine was started with boots again."""
        with self.qmp() as qmp:
            qmp.execute("system_reset")

    def save(self, directory, extra):
        """End the machine and leave its disk and state in `directory`, to be started from any number of times."""
        fresh = directory.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        with self.qmp() as qmp:
            qmp.save(fresh / "state")
        self.stop()
        self.disk.rename(fresh / "disk.qcow2")
        shutil.copyfile(self.console, fresh / "console.log")
        cache.write_json(fresh / "snapshot.json", extra)
        shutil.rmtree(directory, ignore_errors=True)
        fresh.rename(directory)

    def stop(self):
        """End the machine as by pulling the plug; nothing happens if there is none."""
        pid = self.pid()
        if pid:
            with contextlib.suppress(LabError), self.qmp() as qmp:
                qmp.execute("quit")
            if not wait.process_end(pid, END_LIMIT):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                wait.process_end(pid, END_LIMIT)
        network.remove_tap(self.name)

    def console_bytes(self, mark=0):
        """What the serial console showed since `mark`, an earlier size of it."""
        try:
            with open(self.console, "rb") as file:
                file.seek(mark)
                return file.read()
        except FileNotFoundError:
            return b""

    def last_lines(self):
        text = self.console_bytes().decode(errors="replace").replace("\r", "")
        return f"last on the console of {self.name} ({self.console}):\n{tail(text, CONSOLE_LINES)}" if text else ""


ACCELERATORS = {
    # TCG does string instructions element by element: a kernel that sees erms clears its pages byte by byte.
    "tcg": ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max,la57=off,svm=off,erms=off,fsrm=off"],
    "kvm": ["-accel", "kvm", "-cpu", "host"],
}


# The disk "root" on each kind of bus.
BUSES = {
    "virtio": ["-device", "virtio-blk-pci,drive=root"],
    "nvme": ["-device", "nvme,drive=root,serial=root"],
    "scsi": ["-device", "virtio-scsi-pci,id=scsi", "-device", "scsi-hd,bus=scsi.0,drive=root"],
    "sata": ["-device", "ich9-ahci,id=ahci", "-device", "ide-hd,bus=ahci.0,drive=root"],
}


def running():
    """The machines that are up, by name."""
    machines = [Machine(name) for name in network.names() if (cache.root() / "run" / name).exists()]
    return [machine for machine in machines if machine.pid()]
