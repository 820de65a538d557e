# SPDX-License-Identifier: Apache-2.0
"""memcached: each step sets a key, reads one of those set before, and increments a counter."""

from clients.stream import Stream, expect


class Client:
    def __init__(self, host, port):
        self.stream = Stream(host, port)
        self.store("counter", b"0")

    def store(self, key, data):
        self.stream.send(b"set %s 0 0 %d\r\n%s\r\n" % (key.encode(), len(data), data))
        expect(self.stream.line(), b"STORED")

    def step(self, number):
        self.store(f"key{number}", b"value %d" % number)
        old = number // 2 or 1
        self.stream.send(b"get key%d\r\n" % old)
        header = b"VALUE key%d 0 %d" % (old, len(b"value %d" % old))
        expect([self.stream.line() for _ in range(3)], [header, b"value %d" % old, b"END"])
        self.stream.send(b"incr counter 1\r\n")
        expect(self.stream.line(), b"%d" % number)
