# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's protocol, version 3: each step commits a row."""

import struct

from clients.stream import Stream, expect


class Client:
    def __init__(self, host, port):
        self.stream = Stream(host, port)
        words = b"user\0lab\0database\0lab\0\0"
        self.stream.send(struct.pack("!II", 8 + len(words), 3 << 16) + words)
        self.answer()

    def answer(self):
        """The tags of the commands that were completed, until the server is ready again."""
        tags = []
        while True:
            kind, size = struct.unpack("!cI", self.stream.read(5))
            body = self.stream.read(size - 4)
            if kind == b"E":
                raise ValueError(f"the server answered {body!r}")
            if kind == b"C":
                tags.append(body.rstrip(b"\0"))
            if kind == b"Z":
                return tags

    def step(self, number):
        query = b"INSERT INTO ledger VALUES (%d)\0" % number
        self.stream.send(b"Q" + struct.pack("!I", 4 + len(query)) + query)
        expect(self.answer(), [b"INSERT 0 1"])
