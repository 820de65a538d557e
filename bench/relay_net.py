# SPDX-License-Identifier: Apache-2.0
"""A hub and nodes, each in its own network namespace behind a link with a limited rate."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

PREFIX = "sgrelay"
SWITCH = f"{PREFIX}-switch"
BURST, QUEUE = "64kb", "512kb"
CONGESTION = "cubic"    # as everywhere that nobody has changed it; bbr takes a drop in its own queue for loss in the network


class RelayError(Exception):
    """What was attempted, and why it failed."""


def run(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise RelayError(f"{' '.join(map(str, argv))}: {done.stderr.strip()}")
    return done.stdout


def available_bytes():
    """Of memory."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    raise RelayError("/proc/meminfo does not tell how much memory is available")


class Host:
    """One namespace.  Number 0 is the hub's."""

    def __init__(self, number, directory, mbit):
        self.number = number
        self.name = f"{PREFIX}-{number}"
        self.address = f"10.77.0.{number + 1}"
        self.directory = directory / str(number)
        self.directory.mkdir()
        self.children = []
        run("ip", "netns", "add", self.name)
        port = f"p{number}"
        run("ip", "-n", SWITCH, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "-n", SWITCH, "link", "set", port, "master", "br0", "up")
        run("ip", "-n", self.name, "address", "add", f"{self.address}/24", "dev", "eth0")
        run("ip", "-n", self.name, "link", "set", "eth0", "up")
        run("ip", "-n", self.name, "link", "set", "lo", "up")
        run("ip", "-n", self.name, "route", "replace", "10.77.0.0/24", "dev", "eth0", "src", self.address, "congctl",
            CONGESTION)
        run("ip", "-n", self.name, "route", "add", "224.0.0.0/4", "dev", "eth0")
        for space, device in ((SWITCH, port), (self.name, "eth0")):
            run("tc", "-n", space, "qdisc", "add", "dev", device, "root", "tbf", "rate", f"{mbit}mbit", "burst", BURST,
                "limit", QUEUE)

    def start(self, *argv, **options):
        """A program in the namespace, in the host's directory."""
        settings = {"cwd": self.directory, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
                    "stderr": subprocess.DEVNULL, **options}
        child = subprocess.Popen(["ip", "netns", "exec", self.name, *map(str, argv)], **settings)
        self.children.append(child)
        return child

    def stop(self):
        for child in self.children:
            child.kill()
        for child in self.children:
            child.wait()
        self.children = []

    def sent_bytes(self):
        text = run("ip", "netns", "exec", self.name, "cat", "/sys/class/net/eth0/statistics/tx_bytes")
        return int(text)

    def cut(self):
        """Off the network, with no word to anybody."""
        run("ip", "-n", SWITCH, "link", "set", f"p{self.number}", "down")

    def mend(self):
        run("ip", "-n", SWITCH, "link", "set", f"p{self.number}", "up")


class Fleet:
    def __init__(self, n, mbit, size):
        self.n, self.mbit, self.size = n, mbit, size
        self.limit_s = 3 * n * size * 8 / (mbit * 1e6)
        self.hosts = []

    def __enter__(self):
        # All nodes would wait for one disk, where in a fleet each has its own.
        roomy = available_bytes() > 3 * (self.n + 2) * self.size
        self.directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir="/dev/shm" if roomy else "/var/tmp"))
        try:
            self._raise()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _raise(self):
        self._remove()
        run("ip", "netns", "add", SWITCH)
        run("ip", "-n", SWITCH, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        run("ip", "-n", SWITCH, "link", "set", "br0", "up")
        self.hosts = [Host(number, self.directory, self.mbit) for number in range(self.n + 1)]
        self.hub, self.nodes = self.hosts[0], self.hosts[1:]
        self.payload = self.directory / "payload"
        with open(self.payload, "wb") as out:
            for _ in range(self.size >> 20):
                out.write(os.urandom(1 << 20))

    @staticmethod
    def _remove():
        for line in run("ip", "netns", "list").splitlines():
            name = line.split()[0]
            if name == SWITCH or name.startswith(f"{PREFIX}-"):
                run("ip", "netns", "del", name)

    def __exit__(self, *_):
        for host in self.hosts:
            host.stop()
        self._remove()
        shutil.rmtree(self.directory, ignore_errors=True)

    def wait_all(self, what, children):
        """Until all these programs have ended well."""
        deadline = time.monotonic() + self.limit_s
        for child in children:
            if child.wait(max(0.1, deadline - time.monotonic())) != 0:
                raise RelayError(f"{what} ended with {child.returncode}")

    def check(self, files):
        """Each is what was sent."""
        for file in files:
            if subprocess.run(["cmp", "-s", self.payload, file], check=False).returncode != 0:
                raise RelayError(f"{file} is not what was sent")


def processor_times():
    first = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    times = [int(word) for word in first]
    return sum(times), times[3] + times[4]


def observed(fleet, way):
    """How long it took, what the hub sent meanwhile in copies of the payload, and how busy the machine was."""
    sent, (total, idle) = fleet.hub.sent_bytes(), processor_times()
    try:
        seconds = way()
        total_after, idle_after = processor_times()
        return {"s": seconds, "hub_copies": round((fleet.hub.sent_bytes() - sent) / fleet.size, 3),
                "busy": round(1 - (idle_after - idle) / max(1, total_after - total), 3)}
    finally:
        for host in fleet.hosts:
            host.stop()
