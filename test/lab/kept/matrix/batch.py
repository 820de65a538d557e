# SPDX-License-Identifier: Apache-2.0
"""Batch work, terminals and containers."""

from kept.matrix.program import LAUNCH_LIMIT, Listed, Program, numbers
from kept.terminal import Tmux
from node import STATE
from suite import expect

READY_LIMIT = 240

ENCODER = """#!/bin/sh
# Encodes the same pictures again and again; a line for each time, with the sum of what came out.
while :; do
	ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=320x180:rate=25 -frames:v 150 -c:v libx264 -preset medium \\
		-threads 2 -flags +bitexact -f md5 - >>"$1" || echo failed >>"$1"
done
"""

NUMBERS = """
import sys
import numpy
left = numpy.arange(160000, dtype=float).reshape(400, 400) % 97
right = left.T + 3
first = left @ right
with open(sys.argv[1], "a", buffering=1) as told:
    while True:
        told.write("same\\n" if (left @ right == first).all() else "other\\n")
"""


class Repeated(Program):
    """Work that is done again and again: each time it writes a line, and all lines are the same."""
    def __init__(self, node):
        super().__init__(node)
        self.file = f"{STATE}/{self.name}"

    def lines(self):
        """How many there are, and how many different ones."""
        return numbers(self.node.output(f"touch {self.file}; wc -l <{self.file}; sort -u {self.file} | wc -l"))

    def wait_line(self):
        """Wait for one that was begun after this call."""
        before = self.lines()[0]
        self.node.wait(f"{self.title} to go on from {before}", lambda: self.lines()[0] > before + 1, READY_LIMIT)

    def start(self):
        self.wait_line()

    def check(self):
        self.wait_line()
        count, different = self.lines()
        expect(different == 1, f"{self.title} has {different} different results in {count} times, one after the other:\n"
               + self.node.output(f"uniq -c {self.file}"))


class Ffmpeg(Repeated):
    name = "ffmpeg"
    title = "FFmpeg with x264"
    package = "ffmpeg"
    nature = "batch encode, many threads, started by `segue run`"
    load = "the same pictures encoded again and again; the stream has the same MD5 each time"
    units = ("ffmpeg.service",)

    def install(self):
        self.node.put("/opt/encode", ENCODER)

    def start(self):
        self.node.segue("run", "--unit", "ffmpeg", "--", "nice", "-n", "10", "/bin/sh", "/opt/encode", self.file)
        super().start()


class Numpy(Repeated):
    name = "numpy"
    title = "NumPy with OpenBLAS (OpenMP)"
    package = "python3-numpy"
    nature = "batch computation, OpenMP threads"
    load = "the same product of matrices again and again; each is equal to the first"
    units = ("numbers.service",)

    def install(self):
        self.node.put("/opt/product.py", NUMBERS)
        self.node.define("numbers", f"ExecStart=/usr/bin/python3 /opt/product.py {self.file}", "Nice=10",
                         "Environment=OMP_NUM_THREADS=2")


class TmuxVim(Listed, Tmux):
    """tmux as in the other tests."""
    title = "tmux with bash and vim"
    package = "tmux"
    nature = "terminal programs, started by `segue run`"
    load = "a shell's variables and an editor's unsaved text, both used after the swap"


class Podman(Program):
    name = "podman"
    title = "Podman"
    package = "podman"
    nature = "container of a common engine, with PID and mount namespaces of its own"
    load = "none: it is refused before anything is touched"
    remark = "refused by name; carry the container by `podman container checkpoint` and `restore`, or unkeep the unit"
    units = ("box.service",)
    refused = "PID namespace"

    def install(self):
        self.node.put("/etc/containers/systemd/box.container",
                      "[Container]\nImage=localhost/box\nPull=never\nNetwork=none\nExec=/bin/busybox sleep 100000\n")

    def start(self):
        self.node.exec("mkdir -p /root/box/bin && cp /bin/busybox /root/box/bin/ &&"
                       " tar -C /root/box -c . | podman import -q - localhost/box", limit=LAUNCH_LIMIT)
        self.launch()
