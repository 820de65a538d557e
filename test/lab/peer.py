# SPDX-License-Identifier: Apache-2.0
"""A program under peers/ that runs on the client host, seen from here."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from lab import network, wait

SCRIPTS = Path(__file__).resolve().parent / "peers"
END_LIMIT = 10


class Peer:
    """A peer that runs: peers/NAME.py ARGUMENT..."""

    def __init__(self, name, *arguments):
        self.name = name
        self._output = tempfile.TemporaryFile()
        self._process = network.client_start(sys.executable, SCRIPTS / f"{name}.py", *map(str, arguments),
                                             stdin=subprocess.PIPE, stdout=self._output, stderr=subprocess.STDOUT)

    def _lines(self):
        self._output.seek(0)
        return self._output.read().decode(errors="replace").split("\n")[:-1]

    def _state(self, line):
        try:
            return json.loads(line)
        except ValueError:
            raise RuntimeError(f"the peer {self.name} ended: {line}") from None

    def state(self):
        """What it last told: a dictionary; {} if nothing yet."""
        lines = self._lines()
        return self._state(lines[-1]) if lines else {}

    def states(self):
        """All that it told, once a second and at its end."""
        return [self._state(line) for line in self._lines()]

    def wait(self, what, check, limit=60):
        """Wait until check(state) is true, and return the state; fails at once when the peer tells of an error."""
        def told():
            state = self.state()
            if state.get("error"):
                raise RuntimeError(f"{self.name}: {state['error']} ({state})")
            return state if state and check(state) else None
        return wait.until(f"{what} (peer {self.name})", told, limit, lambda: f"its state: {self.state()}")

    def wait_progress(self, key="answered", limit=60):
        """Wait until the number `key` has grown twice: all in between was after this call."""
        before = self.state().get(key, 0)
        first = self.wait(f"{key} to grow from {before}", lambda state: state[key] > before, limit)[key]
        return self.wait(f"{key} to grow from {first}", lambda state: state[key] > first, limit)

    def end(self):
        """End it, and return its last state."""
        self._process.terminate()
        try:
            self._process.wait(END_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return self.state()
