# SPDX-License-Identifier: Apache-2.0
"""A Debian 13 tree on this machine: made by mmdebstrap, changed by running commands inside it."""

import contextlib
import shutil
import stat

from lab import cache, mirror
from lab.command import run, say

RELEASE = "trixie"

# In namespaces of their own, so that nothing mounted or started outlives the command.
ENTER = """
mount -t proc proc "$1/proc"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t tmpfs tmpfs "$1/run"
mount -t tmpfs tmpfs "$1/tmp"
mount --bind "$2" "$1/var/cache/apt/archives"
root=$1
shift 2
exec chroot "$root" "$@"
"""

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
               "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


class Chroot:
    """A directory that holds a Debian system."""

    def __init__(self, path, log):
        self.path = path
        self.log = log

    def run(self, *argv, what=None, cwd="/", env=None):
        """Run argv inside, with this machine's network; its output goes to the log."""
        archives = cache.directory("apt")
        return run("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private",
                   "sh", "-e", "-c", ENTER, "sh", self.path, archives,
                   "env", "-C", cwd, *argv, what=what, env={**ENVIRONMENT, **(env or {})}, log=self.log)

    def apt(self, *words):
        """apt-get WORDS, inside, without recommended packages and without waiting for the disk."""
        options = ["APT::Install-Recommends=false", "APT::Keep-Downloaded-Packages=true",
                   "DPkg::Options::=--force-unsafe-io", "DPkg::Options::=--force-confold", "Acquire::Languages=none",
                   *mirror.transport_options()]
        with self._services_off(), self._resolver():
            return self.run("apt-get", "-q", "-y", *(f"-o{option}" for option in options), *words,
                            what=f"apt-get {words[0]} in {self.path.name}")

    @contextlib.contextmanager
    def _services_off(self):
        """Package scripts start no daemons meanwhile."""
        policy = self.path / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        policy.chmod(policy.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        try:
            yield
        finally:
            policy.unlink()

    @contextlib.contextmanager
    def _resolver(self):
        """Names are resolved as on this machine meanwhile."""
        inside = [self.path / "etc/resolv.conf", self.path / "etc/hosts"]
        kept = {path: path.read_bytes() if path.exists() else None for path in inside}
        for path in inside:
            path.unlink(missing_ok=True)
            shutil.copyfile(f"/etc/{path.name}", path)
        try:
            yield
        finally:
            for path, content in kept.items():
                path.unlink(missing_ok=True)
                if content is not None:
                    path.write_bytes(content)


def minimal(log):
    """The directory of a minimal Debian 13, to be copied; made on first use."""
    sources = mirror.find().sources(RELEASE)
    path = cache.directory("debian") / f"{RELEASE}-{cache.digest(sources)}"
    if path.exists():
        return path
    say(f"making a minimal Debian {RELEASE}")
    fresh = path.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    options = [f"--aptopt={option}" for option in mirror.transport_options()]
    run("mmdebstrap", "--mode=root", "--variant=apt", "--dpkgopt=force-unsafe-io", *options, RELEASE, fresh, "-",
        text=sources, what="make a minimal Debian tree", log=log)
    fresh.rename(path)
    return path


def create(path, log):
    """A fresh Chroot at `path`, a copy of the minimal one; what was there is gone."""
    shutil.rmtree(path, ignore_errors=True)
    copy(minimal(log), path)
    return Chroot(path, log)


def copy(source, target):
    run("cp", "-a", "--reflink=auto", source, target, what=f"copy {source.name}")
