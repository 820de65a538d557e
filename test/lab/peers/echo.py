#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sends back whatever it gets, over TCP on IPv4 and IPv6; counts connections, and those that were reset.

usage: echo.py PORT
"""

import selectors
import socket
import sys

from telling import Telling


class Echo:
    """The server."""

    def __init__(self, port):
        self.telling = Telling(connections=0, bytes=0, closed=0, resets=0)
        self.selector = selectors.DefaultSelector()
        for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            listener = socket.socket(family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((host, port))
            listener.listen(16)
            self.selector.register(listener, selectors.EVENT_READ, self.accept)

    def accept(self, listener):
        connection, _ = listener.accept()
        self.telling.add(connections=1)
        self.selector.register(connection, selectors.EVENT_READ, self.serve)

    def serve(self, connection):
        try:
            data = connection.recv(65536)
            if data:
                connection.sendall(data)
                self.telling.progress(bytes=len(data))
                return
            self.telling.add(closed=1)
        except OSError as error:
            self.telling.add(resets=1)
            self.telling.fail(f"{type(error).__name__}: {error}")
        self.selector.unregister(connection)
        connection.close()

    def work(self):
        while not self.telling.ended.is_set():
            for key, _ in self.selector.select(1):
                key.data(key.fileobj)


def main():
    echo = Echo(int(sys.argv[1]))
    echo.telling.run(echo.work)


if __name__ == "__main__":
    main()
