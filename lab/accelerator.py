# SPDX-License-Identifier: Apache-2.0
"""Which accelerator guests can use: KVM only where a kernel has really been seen to boot with it."""

import os
import subprocess

from lab import cache, host, machine
from lab.command import say
from lab.error import LabError

PROBE_LIMIT = 30
BOOTED = b"Run /init as init process"


def choose(image):
    """ "kvm" or "tcg"; the answer is kept for this QEMU on this machine's kernel."""
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
        return BOOTED in probe.communicate(timeout=PROBE_LIMIT)[0]
    except subprocess.TimeoutExpired:
        probe.kill()
        return BOOTED in probe.communicate()[0]
    finally:
        probe.kill()
        probe.wait()
