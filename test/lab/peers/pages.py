#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Asks the program `hold` again and again, over one connection, how many pages it has looked at.

usage: pages.py HOST PORT
"""

import socket
import sys
import threading

from telling import Telling

PACE_S = 0.005


class Asker:
    def __init__(self, host, port):
        self.address = (host, int(port))
        self.telling = Telling(answered=0, pages=0)
        self.pace = threading.Event()

    def work(self):
        with socket.create_connection(self.address) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answers = connection.makefile("rb")
            while not self.telling.ended.is_set():
                connection.sendall(b"?")
                line = answers.readline()
                if not line.endswith(b"\n"):
                    raise ConnectionResetError("hold closed the connection")
                pages = int(line)
                self.telling.progress(answered=1, pages=pages - self.telling.state["pages"])
                self.pace.wait(PACE_S)


def main():
    asker = Asker(*sys.argv[1:3])
    asker.telling.run(asker.work)


if __name__ == "__main__":
    main()
