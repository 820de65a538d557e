# SPDX-License-Identifier: Apache-2.0
"""MQTT 3.1.1: each step publishes a message at QoS 1, which must be acknowledged and come back as subscribed."""

import struct

from clients.stream import Stream, expect

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
QOS1 = 2                # as it stands in the flags of a packet
TOPIC = b"ledger"


def text(words):
    return struct.pack("!H", len(words)) + words


class Client:
    def __init__(self, host, port):
        self.stream = Stream(host, port)
        # Version 4, a clean session, no keep-alive.
        self.send(CONNECT, 0, text(b"MQTT") + b"\x04\x02\0\0" + text(b"lab"))
        expect(self.packet(), (CONNACK, b"\0\0"))
        self.send(SUBSCRIBE, 2, b"\0\x01" + text(TOPIC) + b"\x01")
        expect(self.packet(), (SUBACK, b"\0\x01\x01"))

    def send(self, kind, flags, body):
        self.stream.send(bytes([kind << 4 | flags, len(body)]) + body)

    def packet(self):
        """Kind and body; all of ours are shorter than 128 bytes."""
        first, size = self.stream.read(2)
        return first >> 4, self.stream.read(size)

    def step(self, number):
        identifier = struct.pack("!H", number % 0xffff + 1)
        self.send(PUBLISH, QOS1, text(TOPIC) + identifier + b"%d" % number)
        packets = dict((self.packet(), self.packet()))
        expect(packets.get(PUBACK), identifier)
        came = packets[PUBLISH]
        start = 2 + len(TOPIC)
        expect(came[start + 2:], b"%d" % number)
        self.send(PUBACK, 0, came[start:start + 2])
