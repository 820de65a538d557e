# SPDX-License-Identifier: Apache-2.0
"""Commands in a guest, over ssh from the client host, through one connection that is made again when it breaks."""

import shlex
import subprocess

from lab import cache, image, network
from lab.error import LabError, TimedOut

SSH_FAILED = 255
# What ssh says when a connection that was left from before cannot even begin a command.
BROKEN = ("mux_client_request_session", "Control socket connect", "Session open refused", "ControlSocket")


class Shell:
    """Root's shell in guest `name`."""

    def __init__(self, name):
        self.name = name
        self.address = network.addresses(name)[0]
        self.socket = cache.root() / "run" / name / "ssh"

    def _options(self):
        options = {
            "User": "root", "IdentityFile": image.key(), "IdentitiesOnly": "yes", "BatchMode": "yes",
            "StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "LogLevel": "ERROR",
            "KexAlgorithms": "curve25519-sha256", "ConnectTimeout": 10,
            "ServerAliveInterval": 1, "ServerAliveCountMax": 30, "ControlPath": self.socket,
        }
        return ["-F", "none", *(f"-o{name}={value}" for name, value in options.items())]

    def connect(self):
        """Make the connection to be shared, unless there is one; returns whether there is one now."""
        if self.socket.exists():
            return True
        # Its own outputs go nowhere: it lives on, and would keep a caller's pipe open.
        master = subprocess.run(network.in_client("ssh", *self._options(), "-M", "-N", "-f", self.address), check=False,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return master.returncode == 0

    def argv(self, *words, tty=False):
        """The host's command that runs `words` in the guest; a single word is a line for the guest's shell."""
        self.connect()
        line = [] if not words else ["--", words[0] if len(words) == 1 else shlex.join(map(str, words))]
        return network.in_client("ssh", *self._options(), *(["-t"] if tty else []), self.address, *line)

    def run(self, *words, limit=60, text=None):
        """Run `words`, and return the subprocess.CompletedProcess with its outputs as text.

        One that never began because the connection was stale is begun again on a new one.
        """
        stdin = {"input": text} if text is not None else {"stdin": subprocess.DEVNULL}
        for attempt in range(2):
            try:
                done = subprocess.run(self.argv(*words), text=True, errors="replace", timeout=limit, check=False,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, **stdin)
            except subprocess.TimeoutExpired as error:
                printed = (error.stdout or b"").decode(errors="replace")
                raise TimedOut(f"`{' '.join(map(str, words))}` in {self.name} did not end within {limit:g} s"
                               + (f"; it printed:\n{printed}" if printed else "")) from None
            if attempt == 0 and done.returncode == SSH_FAILED and any(word in done.stderr for word in BROKEN):
                self.disconnect()
                continue
            return done

    def reconnect(self):
        """True when a new connection was made, which then is the one in use."""
        self.disconnect()
        return self.connect()

    def disconnect(self):
        """Drop the connection in use, if any."""
        if self.socket.exists():
            subprocess.run(["ssh", *self._options(), "-O", "exit", self.address], capture_output=True, check=False)
            self.socket.unlink(missing_ok=True)

    def copy(self, source, target):
        """scp between host and guest; a path in the guest is written ":path"."""
        self.connect()
        words = [f"{self.address}{path}" if str(path).startswith(":") else str(path) for path in (source, target)]
        done = subprocess.run(network.in_client("scp", "-q", "-r", *self._options(), *words),
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabError(f"cannot copy {source} to {target} ({self.name}): {done.stderr.strip()}")
