# SPDX-License-Identifier: Apache-2.0
"""An interactive ssh session, on a terminal, in which a shell answers line by line."""

import atexit
import subprocess

from clients.stream import expect

SHELL = "stty -echo -opost; echo ready; count=0; while read line; do count=$((count + 1)); echo $line $count; done"


class Client:
    def __init__(self, host, port, key):
        words = ["ssh", "-F", "none", "-tt", "-i", key, "-p", port, "-oStrictHostKeyChecking=no", "-oLogLevel=ERROR",
                 "-oUserKnownHostsFile=/dev/null", "-oIdentitiesOnly=yes", "-oBatchMode=yes", f"worker@{host}", SHELL]
        self.process = subprocess.Popen(words, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        atexit.register(self.process.kill)
        expect(self.line(), b"ready")

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            raise ConnectionResetError(f"ssh ended with {self.process.wait()}")
        return line.strip()

    def step(self, number):
        self.process.stdin.write(b"line%d\n" % number)
        expect(self.line(), b"line%d %d" % (number, number))
