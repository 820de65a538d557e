#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Asks a program on another host without pause, over one connection, and checks each answer.

usage: load.py CLIENT HOST [ARGUMENT...]

CLIENT is a module under clients/ with a class Client(host, *arguments): it connects, and its step(number), for 1, 2, 3
and so on, returns when what that asked for is acknowledged, and raises when an answer is not as it should be.  `value`
is the last number that was acknowledged.
"""

import importlib
import itertools
import sys
import threading

from telling import Telling

PACE_S = 0.1


def main():
    telling = Telling(answered=0, value=0)
    pace = threading.Event()

    def work():
        client = importlib.import_module(f"clients.{sys.argv[1]}").Client(*sys.argv[2:])
        for number in itertools.count(1):
            client.step(number)
            telling.progress(answered=1, value=1)
            pace.wait(PACE_S)

    telling.run(work)


if __name__ == "__main__":
    main()
