#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sends numbered datagrams to a UDP echo service, one after the other; some may be lost, none may come back twice.

usage: datagram.py HOST PORT
"""

import socket
import sys
import threading

from telling import Telling

PACE_S = 0.2


def main():
    telling = Telling(sent=0, answered=0, lost=0)
    pace = threading.Event()

    def work():
        host, port = sys.argv[1], int(sys.argv[2])
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as connection:
            connection.connect((host, port))
            connection.settimeout(0.5)
            last = -1
            for number in range(2**62):
                connection.send(b"%d" % number)
                telling.add(sent=1)
                try:
                    answer = int(connection.recv(100))
                    while answer < number:          # one that was late
                        if answer <= last:
                            raise ConnectionError(f"{answer} came back after {last}")
                        last, answer = answer, int(connection.recv(100))
                    last = answer
                    telling.progress(answered=1)
                except TimeoutError:
                    telling.add(lost=1)
                pace.wait(PACE_S)

    telling.run(work)


if __name__ == "__main__":
    main()
