# SPDX-License-Identifier: Apache-2.0
"""A guest with segue in it, as the tests use it."""

import json
import os
import re
import subprocess

import programs

from lab import network
from lab.error import LabError
from lab.guest import Guest

BIN = "/usr/local/bin"
STATE = "/var/lib/test"
STATUS_DONE, STATUS_FAILED, STATUS_USAGE, STATUS_REFUSED, STATUS_CALLED_OFF, STATUS_RETURNED, STATUS_BUSY, \
    STATUS_NOT_PERMITTED, STATUS_NOT_REACHABLE = range(9)

JUMP_LIMIT = 360        # from the command to the first line of the next kernel, emulated and beside another guest
LAND_LIMIT = 240        # from there to programs that run
BOOT_LIMIT = 360        # from there to ssh
CONFIRM_LIMIT = 360     # from there to a swap that is confirmed
EVIDENCE_LINES = 40

# What of a unit stays as it was.
UNIT_PROPERTIES = ("Id", "MainPID", "ActiveState", "SubState", "Type", "NotifyAccess", "DropInPaths", "WatchdogUSec",
                   "UID", "NRestarts")
# A line that tells of the new kernel, and those of segue-init at its end.
BOOT_LINE = r"Linux version (\S+)"
RUNNING_LINE = r"segue-init: letting the programs run"
BACK_LINE = r"segue-init: going back"


class Node:
    """The guest `name`."""

    def __init__(self, name):
        self.guest = Guest(name)
        self.number = network.number(name)
        self.ipv4, self.ipv6 = self.guest.ipv4, self.guest.ipv6
        # Ports on the client host, which other guests use as well.
        self.port = 7000 + self.number
        self.client4, self.client6 = network.addresses(network.CLIENT)
        self._files = {}
        self.wanted = []        # units to be started and kept

    def up(self, scenario, kernel="6.12"):
        if self.guest.is_up:
            self.guest.down()
        self.guest.up(kernel=kernel, **scenario.shape)
        self.exec("mkdir -p /usr/local/bin")
        self.guest.push(programs.build(), "/root/programs")
        self.exec(f"mv /root/programs/* {BIN}")
        return self

    def exec(self, *words, **options):
        return self.guest.exec(*words, **options)

    def output(self, *words, **options):
        return self.guest.output(*words, **options)

    def write(self, path, text):
        self.exec(f"mkdir -p $(dirname {path}) && cat >{path}", text=text)

    def read(self, path):
        """A file's text without blanks around it; "" if there is none."""
        return self.output("cat", path, check=False)

    def wait(self, what, check, limit=60):
        return self.guest.wait(what, check, limit)

    # What is installed at once, since each command takes its time

    def put(self, path, text):
        """A file, to be there after install()."""
        self._files[path] = text

    def define(self, name, *lines):
        """A kept unit with the given lines in its [Service], to be there after install()."""
        self.put(f"/etc/systemd/system/{name}.service", unit_text(name, lines))
        self.wanted.append(name)

    def install(self):
        """Write the files, start the units and keep them."""
        script = [f"set -e; mkdir -p {STATE}"]
        for path, text in self._files.items():
            script.append(f"mkdir -p {os.path.dirname(path)}; cat >{path} <<'END-OF-FILE'\n{text.rstrip()}\nEND-OF-FILE")
        units = " ".join(self.wanted)
        if units:
            script += ["systemctl daemon-reload", f"systemctl start {units}", f"segue keep {units}"]
        self.exec("sh", text="\n".join(script) + "\n", limit=180)
        self._files, self.wanted = {}, []

    # Units

    def service(self, name, *lines):
        """Write a unit with the given lines in its [Service], and start it."""
        self.write(f"/etc/systemd/system/{name}.service", unit_text(name, lines))
        self.exec(f"systemctl daemon-reload && systemctl start {name}")

    def units(self, *names):
        """What systemd says of each: {name: {property: text}}."""
        if not names:
            return {}
        text = self.output("systemctl", "show", "-p", ",".join(UNIT_PROPERTIES), *names)
        shown = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in text.split("\n\n")]
        return {unit["Id"]: unit for unit in shown}

    def running(self):
        """Each service with its processes, as far as none comes and goes by itself: what a refusal must leave alone."""
        lines = self.output("cd /sys/fs/cgroup/system.slice && grep -H . *.service/cgroup.procs").splitlines()
        # This very command comes in through sshd.
        passing = re.compile(r"ssh|segued|systemd-(hostnamed|udevd|timedated|journald)")
        return sorted(line for line in lines if not passing.match(line))

    # segue

    def segue(self, *words, limit=120, **options):
        """segue WORDS, and the subprocess.CompletedProcess; raises unless it exits with 0 or check=False."""
        return self.guest.exec("segue", *words, limit=limit, **options)

    def segue_json(self, *words, **options):
        return json.loads(self.segue(*words, "--json", **options).stdout)

    def keep(self, *names):
        self.segue("keep", *names)

    def configure(self, text):
        self.write("/etc/segue/segue.conf", text)
        self.exec("systemctl restart segued")

    def kernel(self, begin):
        """The newest kernel installed that begins like this."""
        versions = [name for name in self.output("ls /lib/modules").split() if name.startswith(begin)]
        if not versions:
            raise LabError(f"no kernel {begin} in {self.guest.name}")
        return versions[-1]

    def start(self, *command):
        """Begin a command on an ssh connection of its own; returns the Popen."""
        return subprocess.Popen(self.guest.shell.argv(*command), text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def jump(self, *words, boots=1, command=("segue", "swap")):
        """segue swap WORDS, or another command that begins a swap, over `boots` jumps until ssh answers again."""
        mark = self.guest.mark()
        process = self.start(*command, *words)
        try:
            def jumped():
                if re.search(BOOT_LINE, self.guest.console(mark)):
                    return True
                if process.poll() is None:
                    return False
                # A connection that is cut off is no verdict; the kernel's first line may be under way yet.
                if process.returncode in (0, 255):
                    return False
                raise LabError(f"segue swap exited with {process.returncode} before the jump: "
                               f"{process.stderr.read().strip()}\n{process.stdout.read().strip()}")
            self.wait("the jump", jumped, JUMP_LIMIT)
        finally:
            process.kill()
            process.communicate()
        for boot in range(boots):
            pattern = f"(?s)(?:{BOOT_LINE}.*?){{{boot + 1}}}({RUNNING_LINE}|{BACK_LINE})"
            ended = self.guest.wait_console(pattern, LAND_LIMIT, mark)
            if ended[2].endswith("back") and boot + 1 == boots:
                raise LabError("segue-init goes back to the old kernel")
        self.guest.wait_ssh(BOOT_LIMIT)

    def swap(self, *words, **options):
        """As jump(), to the end of the swap; its status."""
        self.jump(*words, **options)
        return self.swap_end()

    def swap_end(self):
        """Wait until no swap is under way; the last one's status."""
        def ended():
            swap = self.swap_status()
            return swap if swap and not swap["running"] else None
        return self.wait("the end of the swap", ended, CONFIRM_LIMIT)

    def swap_status(self):
        """What segue status tells of the last swap; None if nothing."""
        try:
            done = self.segue("status", "--json", check=False, limit=30)
            return json.loads(done.stdout).get("swap") if done.returncode == STATUS_DONE else None
        except (LabError, ValueError):
            return None

    # Evidence

    def evidence(self):
        """For a failure: the end of the console, the journal of the swap and what CRIU said, as far as they can be had."""
        lines = self.guest.console().rstrip().splitlines()[-EVIDENCE_LINES:]
        parts = ["--- console", *lines]
        script = ("cd /var/lib/segue; echo; echo --- journal; cat swap/journal; find . -name '*.log' | while read f;"
                  "do echo; echo --- $f; grep -a -e Error -e Warn $f | tail -n 12; done;"
                  "echo --- segued; journalctl -b -u segued -o cat -n 15 --no-pager;"
                  "echo --- segue-link; journalctl -b -u segue-link -o cat -n 15 --no-pager;"
                  "echo --- all; journalctl -b -o short-monotonic -n 80 --no-pager")
        try:
            parts.append(self.exec(script, check=False, limit=30).stdout)
        except LabError as error:
            parts.append(f"(no more can be had: {str(error).partition(chr(10))[0]})")
        return "\n".join(parts)


def unit_text(name, lines):
    body = "\n".join(lines)
    return f"[Unit]\nDescription=test {name}\n\n[Service]\n{body}\n\n[Install]\nWantedBy=multi-user.target\n"
