# SPDX-License-Identifier: Apache-2.0
"""Redis's protocol: each step increments a counter and appends to a list."""

from clients.stream import Stream, expect


class Client:
    def __init__(self, host, port):
        self.stream = Stream(host, port)

    def step(self, number):
        self.stream.send(b"INCR counter\r\nRPUSH list %d\r\n" % number)
        expect([self.stream.line(), self.stream.line()], [b":%d" % number] * 2)
