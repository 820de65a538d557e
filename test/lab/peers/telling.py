# SPDX-License-Identifier: Apache-2.0
"""What every peer does: it prints its state as a line of JSON each second, and once more when it is told to end.

It ends too when its standard input does: whoever started it is gone then.
"""

import json
import os
import signal
import stat
import sys
import threading
import time


class Telling:
    """The state that is told: numbers by name, and the longest time between two calls of progress()."""

    def __init__(self, **numbers):
        self.state = {"gap_s": 0.0, "error": None, **numbers}
        self._lock = threading.Lock()
        self._last = None
        self.ended = threading.Event()

    def progress(self, **add):
        """Something went well just now; add to the numbers."""
        now = time.monotonic()
        with self._lock:
            if self._last is not None:
                self.state["gap_s"] = max(self.state["gap_s"], round(now - self._last, 3))
            self._last = now
            for name, number in add.items():
                self.state[name] += number

    def add(self, **add):
        with self._lock:
            for name, number in add.items():
                self.state[name] += number

    def fail(self, error):
        """Remember the first thing that went wrong."""
        with self._lock:
            self.state["error"] = self.state["error"] or str(error)

    def tell(self):
        with self._lock:
            waiting = 0.0 if self._last is None else time.monotonic() - self._last
            line = json.dumps({**self.state, "waiting_s": round(waiting, 3)})
        print(line, flush=True)

    def run(self, work):
        """Run work() in another thread until it returns or this process is told to end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.ended.set())

        def guarded():
            try:
                work()
            except Exception as error:      # what it is does not matter: it is told, and judged by who started this
                self.fail(f"{type(error).__name__}: {error}")
            self.ended.set()

        def watch_starter():
            sys.stdin.read()
            self.ended.set()

        threading.Thread(target=guarded, daemon=True).start()
        # A service has /dev/null there, which has an end at once.
        if not sys.stdin.closed and stat.S_ISFIFO(os.fstat(0).st_mode):
            threading.Thread(target=watch_starter, daemon=True).start()
        while not self.ended.wait(1):
            self.tell()
        self.tell()
        sys.stdout.flush()
