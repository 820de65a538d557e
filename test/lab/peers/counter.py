#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Increments a counter in Redis without pause over one TCP connection, and counts what went wrong.

usage: counter.py HOST [KEY]

An increment is lost when it was acknowledged and is not in a later answer, doubled when a later answer has more than
was sent.  A reset is a connection that ended; another is made then.
"""

import socket
import sys
import threading

from telling import Telling

# Under way at any time: so there are always some on the wire, in either direction.
WINDOW = 4
PACE_S = 0.01


class Counter:
    """The client of one counter."""

    def __init__(self, host, key):
        self.address = (host, 6379)
        self.increment = f"INCR {key}\r\n".encode()
        self.telling = Telling(sent=0, answered=0, lost=0, doubled=0, resets=0, value=0)
        self.pace = threading.Event()
        self.value = None               # the last answer

    def check(self, answer):
        value = int(answer.lstrip(b":"))
        if self.value is not None:
            expected = self.value + 1
            self.telling.add(lost=max(0, expected - value), doubled=max(0, value - expected))
        self.value = value
        self.telling.state["value"] = value
        self.telling.progress(answered=1)

    def converse(self, connection):
        """Until the connection ends, which raises."""
        answers = connection.makefile("rb")
        under_way = 0
        while True:
            while under_way < WINDOW:
                connection.sendall(self.increment)
                self.telling.add(sent=1)
                under_way += 1
            line = answers.readline()
            if not line.endswith(b"\n"):
                raise ConnectionResetError("the server closed the connection")
            if not line.startswith(b":"):
                raise ValueError(f"the server answered {line!r}")
            self.check(line)
            under_way -= 1
            self.pace.wait(PACE_S)

    def work(self):
        while not self.telling.ended.is_set():
            try:
                with socket.create_connection(self.address, timeout=None) as connection:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.converse(connection)
            except OSError as error:
                self.telling.add(resets=1)
                self.telling.fail(f"{type(error).__name__}: {error}")
                # What was under way is not known to have been counted or not: begin anew.
                self.value = None
                self.pace.wait(0.2)


def main():
    counter = Counter(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "counter")
    counter.telling.run(counter.work)


if __name__ == "__main__":
    main()
