# SPDX-License-Identifier: Apache-2.0
"""DNS over UDP: each step updates a name of the zone lab.test (RFC 2136) and asks for it.

A datagram that is not answered is sent again, as every resolver does: to set what is set already changes nothing.
"""

import socket
import struct

from clients.stream import expect

UPDATE = 5 << 11
ANSWERS_WAIT_S = 3
TRIES = 60
CODE = 0xf
A, SOA, IN, ANY = 1, 6, 1, 255
TTL = 60


def name(words):
    return b"".join(bytes([len(word)]) + word.encode() for word in words.split(".")) + b"\0"


def address(number):
    return bytes([10]) + number.to_bytes(3, "big")


class Client:
    def __init__(self, host, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((host, int(port)))
        self.socket.settimeout(ANSWERS_WAIT_S)
        self.identifier = 0

    def ask(self, flags, counts, body):
        """The answer's body."""
        self.identifier = self.identifier % 0xffff + 1
        message = struct.pack("!6H", self.identifier, flags, *counts) + body
        for _ in range(TRIES):
            try:
                self.socket.send(message)
                while True:
                    answer = self.socket.recv(4096)
                    if answer[:2] == message[:2]:
                        expect(struct.unpack("!H", answer[2:4])[0] & CODE, 0)
                        return answer[12:]
            except (TimeoutError, ConnectionRefusedError):
                continue        # lost
        raise TimeoutError("the server does not answer")

    def step(self, number):
        owner = name("counter.lab.test")
        data = address(number)
        self.ask(UPDATE, (1, 0, 2, 0), name("lab.test") + struct.pack("!2H", SOA, IN)
                 + owner + struct.pack("!2HIH", A, ANY, 0, 0)
                 + owner + struct.pack("!2HIH", A, IN, TTL, len(data)) + data)
        question = owner + struct.pack("!2H", A, IN)
        answer = self.ask(0, (1, 0, 0, 0), question)
        # The first record: its name as a pointer, type, class, lifetime and length, then what it holds.
        start = len(question) + 12
        expect(answer[start:start + len(data)], data)
