# SPDX-License-Identifier: Apache-2.0
"""Servers as Debian ships them, with clients on another host."""

from kept.base import Kept, expect_peer
from peer import Peer
from suite import expect

KEYS = 20000
# About 90 s for the download: longer than from its start to the jump.
DOWNLOAD_BYTES = 9 << 20
DOWNLOAD_RATE = "100k"
DOWNLOAD_LIMIT = 240
SHORTEST_GAP_S = 2


class Redis(Kept):
    """Redis, its memory, and a connection that increments a counter without pause."""
    name = "redis"
    units = ("redis-server.service",)
    peer = None

    def install(self):
        self.node.wanted.append("redis-server")

    def start(self):
        # In parts: Redis answers nobody else while a script runs for long.
        for first in range(1, KEYS, KEYS // 10):
            fill = (f"for i = {first}, {first + KEYS // 10 - 1} do"
                    " redis.call('SET', 'key' .. i, string.rep('v', 400) .. i) end")
            self.node.output("redis-cli", "eval", fill, "0")
        self.peer = Peer("counter", self.node.ipv4)
        self.peer.wait_progress()

    def prepare(self):
        self.peer.wait_progress()

    def check(self):
        state = self.peer.wait_progress()
        expect_peer(state, lost=0, doubled=0, resets=0)
        found = self.node.output(f"redis-cli dbsize; redis-cli get key{KEYS}; redis-cli get counter").split()
        # And the counter, and maybe the one that is asked for at another address.
        expect(KEYS < int(found[0]) <= KEYS + 2, f"Redis has {found[0]} keys, not {KEYS + 1}")
        expect(found[1] == "v" * 400 + str(KEYS), f"a key has {found[1]!r}")
        expect(int(found[2]) >= state["value"], f"the counter is {found[2]}: {state}")

    def end(self):
        if self.peer:
            expect_peer(self.peer.end(), lost=0, doubled=0, resets=0)


class Nginx(Kept):
    """nginx, with a download that begins before the swap and ends after it."""
    name = "nginx"
    units = ("nginx.service",)
    peer = None
    sha256 = None

    def install(self):
        self.node.put("/etc/nginx/conf.d/rate.conf", f"limit_rate {DOWNLOAD_RATE};\n")
        self.node.wanted.append("nginx")

    def start(self):
        path = "/var/www/html/download"
        self.sha256 = self.node.output(f"head -c {DOWNLOAD_BYTES} /dev/urandom >{path} && sha256sum {path}").split()[0]
        self.node.exec("systemctl reload nginx")

    def prepare(self):
        self.peer = Peer("download", self.node.ipv4, "/download")
        self.peer.wait("bytes", lambda state: state["bytes"] > 0)

    def check(self):
        state = self.peer.wait("the end of the download", lambda state: state["sha256"], DOWNLOAD_LIMIT)
        self.peer.end()
        self.peer = None
        expect(state["gap_s"] > SHORTEST_GAP_S, f"the download was not in progress during the swap: {state}")
        expect(state["sha256"] == self.sha256, f"the download has {state['bytes']} bytes, with another checksum")
        again = Peer("download", self.node.ipv4, "/")
        try:
            again.wait("a new connection to be served", lambda state: state["sha256"])
        finally:
            again.end()

    def end(self):
        if self.peer:
            self.peer.end()
