# SPDX-License-Identifier: Apache-2.0
"""A hub that runs on the client host: that of the package, in the Debian 13 that the package was built in."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab import cache, network, package, wait
from lab.command import run, tail
from lab.error import LabError

PORT = 8425
USER = 65534            # who can do nothing else
START_LIMIT = 30
END_LIMIT = 10


class Hub:
    """A hub with a state of its own; it runs until end()."""

    def __init__(self):
        self.address = network.addresses(network.CLIENT)[0]
        self._root = package.build_root()
        self._path = Path(tempfile.mkdtemp(prefix="segue-hub-", dir=self._root / "var/tmp"))
        self._inside = Path("/") / self._path.relative_to(self._root)
        self._log = tempfile.TemporaryFile()
        self._process = None
        try:
            self._start()
        except BaseException:
            self.end()
            raise

    def _start(self):
        run("dpkg-deb", "-x", package.current(), self._path / "package", what="unpack segue's package")
        os.chown(self._path, USER, USER)
        self._path.chmod(0o755)
        self.run("hub", "init", "--name", self.address, "--directory", self._inside / "state", socket=False)
        self._process = network.client_start(
            *self._argv("lib/segue/segue-hub", "--directory", self._inside / "state", "--socket", self._socket,
                        "--listen", f"{self.address}:{PORT}",
                        "--relay-program", self._inside / "package/usr/lib/segue/segue-relay"),
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        wait.until("the hub", lambda: self.run("hub", "status", check=False).returncode == 0, START_LIMIT, self.evidence)

    @property
    def _socket(self):
        return self._inside / "socket"

    def _argv(self, program, *words):
        """A program of the package, as a user who is not root."""
        return ["chroot", f"--userspec={USER}:{USER}", self._root, self._inside / "package/usr" / program, *words]

    def _verb(self, *words, socket=True):
        return self._argv("bin/segue", *words, *(("--socket", self._socket) if socket else ()))

    def run(self, *words, socket=True, **options):
        """segue WORDS, where the hub is; the subprocess.CompletedProcess."""
        return network.client_run(*self._verb(*words, socket=socket), **options)

    def nodes(self):
        """{name: what segue nodes tells of it}."""
        return {node["name"]: node for node in json.loads(self.run("nodes", "--json").stdout)}

    def order(self, verb, *words, limit):
        """segue node VERB WORDS, to its end: what it became of, as the hub tells it."""
        done = self.run("node", verb, "--json", *words, limit=limit, check=False)
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise LabError(f"segue node {verb} exited with {done.returncode}: {done.stderr.strip()}\n"
                           f"{self.evidence()}") from None

    def roll_out(self, *words, limit):
        """segue rollout start WORDS, to its end: what it became, as the hub tells it."""
        done = self.run("rollout", "start", *words, "--wait", "--json", limit=limit, check=False)
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise LabError(f"segue rollout start exited with {done.returncode}: {done.stderr.strip()}\n"
                           f"{self.evidence()}") from None

    # An owner of releases, beside the hub

    def owner(self):
        """Make one; the directory with whom nodes are to trust."""
        for words in (("key", "new", "owner", "--no-passphrase"), ("trust", "new", "--signer", "owner", "--key", "owner")):
            self.run(*words, *self._owned, socket=False)
        return self._path / "owner" / "trust"

    @property
    def releases(self):
        """The directory of the owner's releases."""
        return self._path / "owner" / "releases"

    def packages(self, kernel):
        """Debian's packages of a kernel, as the hub's operator has them."""
        given = self._path / "given" / kernel
        given.mkdir(parents=True, exist_ok=True)
        for package_file in cache.directory("apt").glob(f"linux-*-{kernel}_*.deb"):
            shutil.copyfile(package_file, given / package_file.name)
        return [self._inside / "given" / kernel / found.name for found in sorted(given.iterdir())]

    def push(self, *words, limit):
        """segue push WORDS to all nodes, to its end: {node: what it printed of it}."""
        done = self.run("push", *words, "--all", "--json", *self._owned, limit=limit, check=False)
        try:
            return {node["node"]: node for node in json.loads(done.stdout)}
        except ValueError:
            raise LabError(f"segue push exited with {done.returncode}: {done.stderr.strip()}\n{self.evidence()}") from None

    @property
    def _owned(self):
        return "--dir", self._inside / "owner"

    def evidence(self):
        """The end of what the hub said."""
        self._log.seek(0)
        return f"the hub:\n{tail(self._log.read().decode(errors='replace'))}"

    def end(self):
        """End it; its state is gone."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(END_LIMIT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._path, ignore_errors=True)
