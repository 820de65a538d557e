# SPDX-License-Identifier: Apache-2.0
"""A message broker that speaks STOMP 1.2: each step sends a message to a durable queue, which must be confirmed, and
takes it from there."""

from clients.stream import Stream, expect

QUEUE = "/queue/ledger"


class Client:
    def __init__(self, host, port):
        self.stream = Stream(host, port)
        self.send("CONNECT", {"accept-version": "1.2", "host": "/", "login": "lab", "passcode": "lab",
                              "heart-beat": "0,0"})
        expect(self.frame()[0], b"CONNECTED")
        self.send("SUBSCRIBE", {"id": "0", "destination": QUEUE, "ack": "client", "durable": "true",
                                "auto-delete": "false"})

    def send(self, command, headers, body=""):
        lines = [command, *(f"{key}:{value}" for key, value in headers.items()), "", body]
        self.stream.send("\n".join(lines).encode() + b"\0\n")

    def frame(self):
        """Command, headers and body of the next one."""
        while not (command := self.stream.line()):
            pass
        headers = {}
        while line := self.stream.line():
            key, _, value = line.partition(b":")
            headers[key.decode()] = value.decode()
        body = b""
        while (byte := self.stream.read(1)) != b"\0":
            body += byte
        if command == b"ERROR":
            raise ValueError(f"the server answered {headers} {body!r}")
        return command, headers, body

    def step(self, number):
        self.send("SEND", {"destination": QUEUE, "persistent": "true", "durable": "true", "auto-delete": "false",
                           "receipt": number}, str(number))
        frames = {frame[0]: frame for frame in (self.frame(), self.frame())}
        expect(frames[b"RECEIPT"][1]["receipt-id"], str(number))
        _, headers, body = frames[b"MESSAGE"]
        expect(body, b"%d" % number)
        self.send("ACK", {"id": headers["ack"]})
