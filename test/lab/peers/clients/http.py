# SPDX-License-Identifier: Apache-2.0
"""HTTP over one connection that is kept alive."""

from clients.stream import Stream, expect


class Http:
    """A connection to a server."""

    def __init__(self, host, port):
        self.stream = Stream(host, port)
        self.host = host

    def ask(self, method, path, body=b""):
        """The body of the answer, of which the length must be told; anything but 200 is an error."""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.stream.send(head.encode() + body)
        expect(self.stream.line().split()[1], b"200")
        size = 0
        while line := self.stream.line():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
            if name.lower() == b"transfer-encoding":
                raise ValueError("the length of the answer is not told")
        return self.stream.read(size)
