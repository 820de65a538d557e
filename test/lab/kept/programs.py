# SPDX-License-Identifier: Apache-2.0
"""Programs of ours, which check themselves."""

import json

from kept.base import Kept, expect_peer
from node import BIN, STATE
from peer import Peer, SCRIPTS
from suite import expect


class Everything(Kept):
    """A process tree with one of every kind of resource, started by `segue run`."""
    name = "everything"
    units = ("everything.service",)

    def __init__(self, node):
        super().__init__(node)
        self.peers = []
        self.pid = None

    def report(self):
        lines = self.node.read(f"{STATE}/everything/report").splitlines()
        return {words[0]: [int(word) for word in words[1:]] for words in map(str.split, lines)}

    def wait_rounds(self):
        """Wait for a round that began and ended after this call."""
        first = self.report().get("rounds", [0])[0]
        return self.node.wait(f"everything to go on from round {first}", lambda: self._beyond(first + 4))

    def _beyond(self, rounds):
        report = self.report()
        return report if report and report["rounds"][0] > rounds else None

    def start(self):
        node = self.node
        self.peers.append(Peer("echo", node.port))
        self.peers[0].wait("to listen", lambda state: True)
        node.exec("mkdir", "-p", f"{STATE}/everything")
        node.segue("run", "--unit", "everything", "--", f"{BIN}/everything", f"{STATE}/everything", node.client4,
                   node.client6, node.port, node.port)
        self.pid = self.wait_rounds()["pid"]
        self.peers += [Peer("stream", address, node.port) for address in (node.ipv4, node.ipv6)]
        for peer in self.peers[1:]:
            peer.wait_progress()

    def check(self):
        report = self.wait_rounds()
        violations = self.node.output("head", "-n", "20", f"{STATE}/everything/violations")
        expect(not violations, f"{report['violations'][0]} violations in {report['rounds'][0]} rounds:\n{violations}")
        expect(report["pid"] == self.pid, f"its process is {report['pid']}, which was {self.pid}")
        for peer in self.peers[1:]:
            expect_peer(peer.wait_progress())
        expect_peer(self.peers[0].wait_progress("bytes"), connections=2, resets=0, closed=0)

    def end(self):
        for peer in reversed(self.peers):
            peer.end()


class Datagrams(Kept):
    """A UDP service, asked over IPv4 and IPv6 from another host; a datagram may be lost, the service may not."""
    name = "datagrams"
    units = ("datagrams.service",)

    def __init__(self, node):
        super().__init__(node)
        self.peers = []

    def install(self):
        self.node.define("datagrams", "Type=exec", f"ExecStart={BIN}/datagrams {self.node.port + 100}",
                         "Restart=always")

    def start(self):
        self.peers = [Peer("datagram", address, self.node.port + 100) for address in (self.node.ipv4, self.node.ipv6)]
        for peer in self.peers:
            peer.wait_progress()

    def check(self):
        for peer in self.peers:
            expect_peer(peer.wait_progress())

    def end(self):
        for peer in self.peers:
            peer.end()


class Upstream(Kept):
    """A service, in Python, that is a TCP client of another host."""
    name = "upstream"
    units = ("upstream.service",)
    peer = None

    def install(self):
        port = self.node.port + 200
        self.peer = Peer("echo", port)
        self.peer.wait("to listen", lambda state: True)
        for name in ("telling.py", "stream.py"):
            self.node.put(f"/opt/peers/{name}", (SCRIPTS / name).read_text(encoding="utf-8"))
        self.node.define("upstream", f"ExecStart=/usr/bin/python3 /opt/peers/stream.py {self.node.client6} {port}",
                         "User=www-data", "StandardOutput=file:/var/log/upstream")

    def start(self):
        self.peer.wait_progress("bytes")

    def check(self):
        expect_peer(self.peer.wait_progress("bytes"), connections=1, closed=0, resets=0)
        told = json.loads(self.node.output("tail", "-n", "1", "/var/log/upstream"))
        expect(not told["error"], f"the service tells: {told['error']}")

    def end(self):
        if self.peer:
            self.peer.end()


class Talk(Kept):
    """Two units that talk to each other over a unix stream socket on /run."""
    name = "talk"
    units = ("talk-server.service", "talk-client.service")

    def count(self):
        text = self.node.read(f"{STATE}/talk")
        expect(not text.startswith("failed"), f"the asking unit: {text}")
        return int(text or 0)

    def wait_count(self):
        before = self.count()
        self.node.wait(f"the talk to go on from {before}", lambda: self.count() > before + 3)

    def install(self):
        self.node.define("talk-server", f"ExecStart={BIN}/talk serve /run/talk.socket")
        self.node.define("talk-client", f"ExecStart={BIN}/talk ask /run/talk.socket {STATE}/talk")

    def start(self):
        self.wait_count()

    def check(self):
        self.wait_count()


class Hold(Kept):
    """A program with much memory, of which it rewrites a part all the time and looks at all."""
    def __init__(self, node, name="hold", mib=128, words=512):
        super().__init__(node)
        self.name, self.units, self.mib = name, (f"{name}.service",), mib
        self.words = words      # of 512 in each page that are not the same again

    def install(self):
        self.node.define(self.name, f"Environment=HOLD_WORDS={self.words}\n"
                                    f"ExecStart={BIN}/hold {self.mib} {STATE}/{self.name}")

    def slow_down(self):
        """Most of its memory is not looked at in the minutes to come."""
        self.node.write(f"{STATE}/{self.name}.slow", "")

    def speed_up(self):
        self.node.exec("rm", f"{STATE}/{self.name}.slow")

    def count(self):
        """Pages that it has looked at; raises if one was not as it should be."""
        text = self.node.read(f"{STATE}/{self.name}")
        expect(text.isdigit() or not text, f"{self.name} tells: {text}")
        return int(text or 0)

    def wait_count(self):
        before = self.count()
        self.node.wait(f"{self.name} to go on from {before}", lambda: self.count() > before)

    def start(self):
        self.wait_count()

    def check(self):
        self.wait_count()
