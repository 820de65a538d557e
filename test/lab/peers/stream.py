#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sends numbered lines to an echo service over one TCP connection, and checks that each comes back once, in order.

usage: stream.py HOST PORT
"""

import socket
import sys
import threading

from telling import Telling

WINDOW = 4
PACE_S = 0.1


def main():
    telling = Telling(sent=0, answered=0)
    pace = threading.Event()

    def work():
        connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=30)
        connection.settimeout(None)
        answers = connection.makefile("rb")
        for number in range(2**62):
            connection.sendall(b"%d\n" % (number + WINDOW))
            telling.add(sent=1)
            if number >= WINDOW:
                line = answers.readline()
                if line != b"%d\n" % number:
                    raise ConnectionError(f"{line!r} came back, not {number}")
                telling.progress(answered=1)
            pace.wait(PACE_S)

    telling.run(work)


if __name__ == "__main__":
    main()
