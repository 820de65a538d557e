# SPDX-License-Identifier: Apache-2.0
"""What is common to the programs of the matrix."""

from kept.base import Kept, expect_peer
from peer import Peer
from suite import expect

READY_LIMIT = 180
LAUNCH_LIMIT = 400
# What is denied io_uring does without, as libuv and MariaDB do.
NO_URING = "SystemCallFilter=~io_uring_setup:ENOSYS"


class Listed:
    """What the table in doc/compatibility.md says of a program."""
    title = ""          # as its makers write it
    package = ""        # of which the version is told
    nature = ""
    load = ""           # what goes on while it is swapped, and what is looked at
    remark = ""
    refused = None      # what `segue check` must name of it as shipped; adapt() is the way out, if there is one
    adapt = None

    def version(self):
        return self.node.output("dpkg-query", "-W", "-f", "${Version}", self.package)


class Program(Listed, Kept):
    """A program of Debian's."""

    def launch(self):
        """Start its units, and keep them; an emulated machine takes its time for some."""
        units = " ".join(self.units)
        self.node.exec(f"systemctl start {units} && segue keep {units}", limit=LAUNCH_LIMIT)

    def restart_with(self, line):
        """With one more line in the [Service] of its unit."""
        unit = self.units[0]
        self.node.write(f"/etc/systemd/system/{unit}.d/lab.conf", f"[Service]\n{line}\n")
        self.node.exec(f"systemctl daemon-reload && systemctl restart {unit}", limit=LAUNCH_LIMIT)


class Served(Program):
    """One that is asked over the network without pause, by clients/CLIENT.py."""
    client = ""
    port = 0
    peer = None

    def arguments(self):
        """More of them for the client."""
        return ()

    def wait_listening(self):
        self.node.wait(f"{self.title} to listen", lambda: self.node.output("ss", "-Hlntu", f"sport = :{self.port}"),
                       READY_LIMIT)

    def start(self):
        self.launch()
        self.begin()

    def begin(self):
        """Let the load begin."""
        self.wait_listening()
        self.peer = Peer("load", self.client, self.node.ipv4, self.port, *self.arguments())
        self.peer.wait_progress(limit=READY_LIMIT)

    def prepare(self):
        self.peer.wait_progress(limit=READY_LIMIT)

    def check(self):
        expect_peer(self.peer.wait_progress(limit=READY_LIMIT))
        self.check_ledger()

    def check_ledger(self):
        """What the program itself has of all that was acknowledged."""

    def end(self):
        if self.peer:
            expect_peer(self.peer.end())

    def expect_ledger(self, acknowledged, count, distinct, last):
        """Each number from 1 on is there once, up to one that was under way at most."""
        expect(count == distinct == last,
               f"{self.title} has {count} entries, {distinct} different ones, the last {last}")
        expect(last >= acknowledged, f"{self.title} has {last} entries, and {acknowledged} were acknowledged")


def numbers(text):
    return [int(word) for word in text.split()]
