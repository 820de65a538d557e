# SPDX-License-Identifier: Apache-2.0
"""HAProxy on the client host, before nodes that serve the same pages: Debian's, in the Debian 13 that the hub runs in."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from lab import cache, chroot, network, package, wait
from lab.command import tail

PORT = 8080
START_LIMIT = 30
END_LIMIT = 10
# socat and curl are for the hooks.
PROGRAMS = {"haproxy": "usr/sbin/haproxy", "socat": "usr/bin/socat", "curl": "usr/bin/curl"}
CONFIGURATION = """\
global
    stats socket {socket} mode 666 level admin
defaults
    mode http
    timeout connect 3s
    timeout client 30s
    timeout server 30s
    option http-server-close
    option redispatch
    retries 3
frontend in
    bind {address}:{port}
    default_backend web
backend web
    balance roundrobin
    option httpchk GET {path}
    default-server check inter 500ms fall 2 rise 1
{servers}
"""
# Out of service is who gets no new request, and has none under way: the fifth field of its statistics.
DRAIN = """echo "set server web/$NODE state drain" | socat - UNIX:{socket}
until echo "show stat web 4 -1" | socat - UNIX:{socket} | awk -F, -v node="$NODE" '$2 == node && $5 == 0 {{ none = 1 }} END {{ exit !none }}'
do sleep 0.2
done"""
UNDRAIN = 'echo "set server web/$NODE state ready" | socat - UNIX:{socket}'


class Balancer:
    """It runs until end()."""

    def __init__(self, nodes, path):
        self._root = package.build_root()
        self._install()
        self.address = f"{network.addresses(network.CLIENT)[0]}:{PORT}"
        self._path = Path(tempfile.mkdtemp(prefix="segue-haproxy-", dir=self._root / "var/tmp"))
        self._path.chmod(0o755)
        self._socket = Path("/") / self._path.relative_to(self._root) / "socket"
        servers = "\n".join(f"    server {node.guest.name} {node.ipv4}:80" for node in nodes)
        (self._path / "configuration").write_text(CONFIGURATION.format(
            socket=self._socket, address=self.address.split(":", maxsplit=1)[0], port=PORT, path=path, servers=servers),
            encoding="ascii")
        self._log = tempfile.TemporaryFile()
        self._process = network.client_start("chroot", self._root, "/usr/sbin/haproxy", "-db", "-f",
                                             self._socket.parent / "configuration",
                                             stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        try:
            wait.until("HAProxy", (self._path / "socket").exists, START_LIMIT, self.evidence)
        except BaseException:
            self.end()
            raise

    def _install(self):
        with cache.lock("package build"):
            missing = [name for name, path in PROGRAMS.items() if not (self._root / path).exists()]
            if missing:
                tree = chroot.Chroot(self._root, cache.directory("log") / "haproxy.log")
                tree.apt("update")
                tree.apt("install", *missing)

    @property
    def hooks(self):
        """Words for segue rollout start."""
        return ("--drain", DRAIN.format(socket=self._socket), "--undrain", UNDRAIN.format(socket=self._socket))

    def evidence(self):
        """The end of what it said."""
        self._log.seek(0)
        return f"HAProxy:\n{tail(self._log.read().decode(errors='replace'))}"

    def end(self):
        self._process.terminate()
        try:
            self._process.wait(END_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._path, ignore_errors=True)
