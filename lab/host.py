# SPDX-License-Identifier: Apache-2.0
"""This machine: the packages it needs to run the lab, installed from Debian if missing."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from lab import mirror
from lab.command import run, say
from lab.error import LabError

PACKAGES = ("qemu-system-x86", "qemu-utils", "mmdebstrap", "e2fsprogs", "fdisk", "openssh-client", "iproute2",
            "debian-archive-keyring", "util-linux", "mount", "xfsprogs", "btrfs-progs", "iputils-ping", "curl", "redis-tools")
QEMU_PACKAGES = ("qemu-system-x86", "qemu-utils")
QEMU = "qemu-system-x86_64"
# 7.2 corrupts the memory of guests under TCG: about one boot in three fails.
QEMU_OLDEST = 10

BACKPORTS_SOURCES = Path("/etc/apt/sources.list.d/segue-lab.sources")
BACKPORTS_PIN = Path("/etc/apt/preferences.d/segue-lab")


def qemu_version():
    """The installed QEMU's version as text, or None."""
    if not shutil.which(QEMU):
        return None
    match = re.search(r"version (\d+\.\d+\.\d+)", run(QEMU, "--version"))
    return match[1] if match else None


def _qemu_fit():
    version = qemu_version()
    return version is not None and int(version.split(".")[0]) >= QEMU_OLDEST


def _installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package], capture_output=True, text=True,
                          check=False)
    return done.stdout == "installed"


def _apt(*words):
    run("apt-get", "-q", "-y", "--no-install-recommends", *words, what=f"apt-get {words[0]} on this machine",
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def _add_backports(release):
    """Let apt see the backports, but take nothing from there that it is not told to."""
    suite = f"{release}-backports"
    BACKPORTS_SOURCES.write_text(f"Types: deb\nURIs: {mirror.find().main}\nSuites: {suite}\nComponents: main\n"
                                 f"Signed-By: {mirror.KEYRING}\n", encoding="ascii")
    BACKPORTS_PIN.write_text(f"Package: *\nPin: release n={suite}\nPin-Priority: 100\n", encoding="ascii")


def prepare():
    """Install what is missing; nothing is touched when nothing is."""
    require_root()
    missing = [package for package in PACKAGES if not _installed(package)]
    if not missing and _qemu_fit():
        return
    say(f"installing on this machine: {' '.join(missing) or 'a newer qemu'}")
    _apt("update")
    others = [package for package in missing if package not in QEMU_PACKAGES]
    if others:
        _apt("install", *others)
    if not _qemu_fit() or any(package in missing for package in QEMU_PACKAGES):
        release = mirror.codename()
        if release == "bookworm":
            _add_backports(release)
            _apt("update")
            _apt("install", "-t", f"{release}-backports", *QEMU_PACKAGES)
        else:
            _apt("install", *QEMU_PACKAGES)
    if not _qemu_fit():
        raise LabError(f"QEMU {qemu_version()} is too old: the lab needs {QEMU_OLDEST} or later; install it by hand")


def require_root():
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces and chroots: run it as root")
