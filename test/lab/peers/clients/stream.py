# SPDX-License-Identifier: Apache-2.0
"""A TCP connection that is read in lines and in pieces of known length."""

import socket


class Stream:
    """A connection; it has no time limit, since a swap is a pause of any length."""

    def __init__(self, host, port):
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        self.socket.settimeout(None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._input = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def read(self, size):
        data = self._input.read(size)
        if len(data) < size:
            raise ConnectionResetError("the server closed the connection")
        return data

    def line(self):
        """Without its end."""
        line = self._input.readline()
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the server closed the connection")
        return line.rstrip(b"\r\n")


def expect(found, wanted):
    if found != wanted:
        raise ValueError(f"the server answered {found!r}, not {wanted!r}")
