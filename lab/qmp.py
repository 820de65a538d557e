# SPDX-License-Identifier: Apache-2.0
"""A connection to a machine's QEMU monitor (QMP)."""

import json
import socket

from lab import wait
from lab.error import LabError, TimedOut


class Qmp:
    """Speaks to the monitor at a unix socket; use as a context manager."""

    def __init__(self, path, limit=30):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(limit)
        try:
            self.socket.connect(str(path))
        except OSError as error:
            self.socket.close()
            raise LabError(f"no QEMU answers at {path}: {error.strerror}") from None
        self.lines = self.socket.makefile("rb")
        self._read()
        self.execute("qmp_capabilities")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()

    def _read(self):
        try:
            line = self.lines.readline()
        except TimeoutError:
            raise TimedOut(f"QEMU at {self.path} gives no answer") from None
        except OSError:
            line = b""
        if not line:
            raise LabError(f"QEMU at {self.path} ended")
        return json.loads(line)

    def execute(self, command, **arguments):
        """Execute a QMP command (its arguments may be written with _ for -) and return its result."""
        arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            message = self._read()
            if "error" in message:
                raise LabError(f"QEMU refuses {command}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]

    def _migrated(self):
        status = self.execute("query-migrate")
        if status.get("status") == "failed":
            raise LabError(f"QEMU cannot save or load its state: {status.get('error-desc', 'no reason given')}")
        return status.get("status") == "completed"

    def _prepare_migration(self):
        # Pages at fixed places in the file: no page is written twice, and zero pages are holes.
        self.execute("migrate-set-capabilities", capabilities=[{"capability": "mapped-ram", "state": True}])
        self.execute("migrate-set-parameters", max_bandwidth=1 << 40)

    def save(self, path, limit=120):
        """Stop the machine and write its state to the file `path`."""
        self._prepare_migration()
        self.execute("stop")
        self.execute("migrate", uri=f"file:{path}")
        wait.until(f"the state to be written to {path}", self._migrated, limit)

    def load(self, path, limit=120):
        """Load the state at `path` into a machine started with -incoming defer, and let it run."""
        self._prepare_migration()
        self.execute("migrate-incoming", uri=f"file:{path}")
        wait.until(f"the state to be loaded from {path}", self._migrated, limit)
        self.execute("cont")
