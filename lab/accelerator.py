# SPDX-License-Identifier: Apache-2.0
"""Which accelerator guests can use: KVM only where a kernel has really been seen to boot with it."""

import os
import select
import subprocess
import time

from lab import cache, host, machine
from lab.command import say
from lab.error import LabError

PROBE_LIMIT = 30
BOOTED = b"Run /init as init process"
# QEMU then stops the machine, but does not end.
FAILED = b"KVM internal error"


def choose(image):
    """Either "kvm" or "tcg"; the answer is kept for this QEMU on this machine's kernel."""
    wanted = os.environ.get("SEGUE_LAB_ACCELERATOR")
    if wanted:
        if wanted not in machine.ACCELERATORS:
            raise LabError(f"SEGUE_LAB_ACCELERATOR={wanted}: there are {' and '.join(machine.ACCELERATORS)}")
        return wanted
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    with cache.lock("accelerator"):
        path = cache.root() / "accelerator.json"
        key = f"{host.qemu_version()} {os.uname().release} {os.uname().version}"
        answer = cache.read_json(path, {})
        if answer.get("key") != key:
            answer = {"key": key, "accelerator": "kvm" if _kvm_boots(image) else "tcg"}
            say(f"guests use {answer['accelerator']}")
            cache.write_json(path, answer)
        return answer["accelerator"]


def _kvm_boots(image):
    kernel, initrd = image.boot_files(image.kernels()[0])
    argv = [host.QEMU, "-machine", "pc", *machine.ACCELERATORS["kvm"], "-m", "512", "-nodefaults", "-no-user-config",
            "-display", "none", "-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0 panic=-1",
            "-no-reboot", "-serial", "stdio"]
    probe = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        return _shows(probe.stdout, BOOTED, FAILED, PROBE_LIMIT)
    finally:
        probe.kill()
        probe.wait()


def _shows(stream, good, bad, limit):
    """Whether `good` comes out of `stream` before `bad`, the stream's end and the limit."""
    seen = b""
    deadline = time.monotonic() + limit
    while good not in seen and bad not in seen:
        remaining = deadline - time.monotonic()
        if remaining <= 0 or not select.select([stream], [], [], remaining)[0]:
            break
        chunk = os.read(stream.fileno(), 1 << 16)
        if not chunk:
            break
        seen += chunk
    return good in seen
