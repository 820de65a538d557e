# SPDX-License-Identifier: Apache-2.0
"""Services of each type, which write to the journal all the time: none of their lines may be missing there."""

from kept.base import Kept
from node import BIN, STATE
from suite import expect

# In the guest: prints what is wrong with the lines "tick N" of a unit, and the last N.
TICKS = """
import re, subprocess, sys
text = subprocess.run(["journalctl", "-q", "-u", sys.argv[1], "-o", "cat", "--no-pager"], capture_output=True,
                      text=True).stdout
ticks = [int(tick) for tick in re.findall(r"^tick ([0-9]+)$", text, re.M)]
wrong = [f"{b} after {a}" for a, b in zip(ticks, ticks[1:]) if b != a + 1]
print(ticks[-1] if ticks else 0)
print("; ".join(wrong[:5]))
"""


class Service(Kept):
    """A service that counts, into a file and into the journal."""
    lines = ()
    words = ""

    def __init__(self, node):
        super().__init__(node)
        self.units = (f"{self.name}.service",)
        self.file = f"{STATE}/{self.name}"

    def count(self):
        return int(self.node.read(self.file) or 0)

    def wait_count(self):
        before = self.count()
        self.node.wait(f"{self.name} to count on from {before}", lambda: self.count() > before)

    def install(self):
        self.node.put("/usr/local/lib/ticks.py", TICKS)
        self.node.define(self.name, *self.lines, f"ExecStart={BIN}/service {self.file} {self.words}".rstrip())

    def start(self):
        self.wait_count()

    def check(self):
        self.wait_count()
        self.check_journal()

    def check_journal(self):
        """Every line that it wrote, across every swap, is in the journal once, under its name."""
        count = self.count()

        def told():
            last, _, wrong = self.node.output("python3", "/usr/local/lib/ticks.py", self.name).partition("\n")
            expect(not wrong, f"in the journal of {self.name}: {wrong}")
            return int(last) >= count
        self.node.wait(f"tick {count} in the journal of {self.name}", told)


class Simple(Service):
    """Type=simple, with commands of its own at each stage of a swap."""
    name = "service-simple"
    lines = ("Type=simple", "StandardInput=null")
    swaps = 0

    def install(self):
        super().install()
        told = f">>{STATE}/hooks"
        self.node.put(f"/etc/systemd/system/{self.name}.service.d/segue.conf",
                      f"[X-Segue]\nPreFreeze=echo freeze $(uname -r) {told}\nPostThaw=echo thaw $(uname -r) {told}\n"
                      f"HealthCheck=echo health $(uname -r) {told}\n")

    def check(self):
        super().check()
        self.swaps += 1
        lines = [line.split() for line in self.node.read(f"{STATE}/hooks").splitlines()]
        expect([line[0] for line in lines] == ["freeze", "thaw", "health"] * self.swaps, f"hooks: {lines}")
        old, *new = [line[1] for line in lines[-3:]]
        expect(old != new[0] and set(new) == {self.node.guest.kernel()}, f"hooks ran on {lines[-3:]}")


class Exec(Service):
    """Type=exec, with limits of its control group."""
    name = "service-exec"
    lines = ("Type=exec", "MemoryMax=64M", "TasksMax=20", "CPUWeight=50")

    def limits(self):
        return self.node.output(f"cd /sys/fs/cgroup/system.slice/{self.units[0]} && cat memory.max pids.max cpu.weight")

    def check(self):
        super().check()
        limits = self.limits().split()
        expect(limits == [str(64 << 20), "20", "50"], f"memory.max, pids.max and cpu.weight are {limits}")


class Forking(Service):
    """Type=forking, without a PID file."""
    name = "service-forking"
    lines = ("Type=forking",)
    words = "forking"


class Notify(Service):
    """Type=notify, which tells its status, with what the administrator has changed, and a condition that held once."""
    name = "service-notify"
    lines = ("Type=notify", "Restart=on-failure", "SendSIGKILL=no")
    words = "notify"

    def install(self):
        super().install()
        self.node.put(f"/etc/systemd/system/{self.name}.service.d/override.conf",
                      "[Unit]\nConditionPathExists=!/etc/segue-test-started\n"
                      f"[Service]\nExecStart=\nExecStart={BIN}/service {self.file} {self.words}\n")

    def start(self):
        super().start()
        self.node.write("/etc/segue-test-started", "")

    def check(self):
        super().check()
        text = self.node.output("systemctl", "show", "-P", "StatusText", self.name)
        expect(text == "counting", f"its status is {text!r}")


class Watchdog(Service):
    """Type=notify with WatchdogSec: killed if its word does not reach systemd again after the swap."""
    name = "service-watchdog"
    lines = ("Type=notify", "WatchdogSec=30", "Restart=no")
    words = "notify watchdog"

    def last_word(self):
        return int(self.node.output("systemctl", "show", "-P", "WatchdogTimestampMonotonic", self.name) or 0)

    def check(self):
        super().check()
        before = self.last_word()
        self.node.wait("its word to reach systemd", lambda: self.last_word() > before)


class Sandbox(Service):
    """DynamicUser, RuntimeDirectory, PrivateTmp, PrivateDevices, ProtectSystem, a filter of system calls."""
    name = "service-sandbox"
    lines = ("DynamicUser=yes", "RuntimeDirectory=sandbox", "StateDirectory=sandbox", "PrivateTmp=yes",
             "PrivateDevices=yes", "ProtectSystem=strict", "ProtectHome=yes", "ProtectProc=invisible",
             "NoNewPrivileges=yes", "SystemCallFilter=@system-service", "MemoryDenyWriteExecute=yes",
             "AmbientCapabilities=CAP_NET_BIND_SERVICE", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
             "ExecStartPre=/bin/sh -c 'echo private >/tmp/private; echo owned >/run/sandbox/owned'")

    def __init__(self, node):
        super().__init__(node)
        self.file = "/run/sandbox/count"
        self.seen = None

    def look(self):
        """What the process is and has, from outside."""
        return self.node.output(
            f"pid=$(systemctl show -P MainPID {self.name}); cat /proc/$pid/root/tmp/private /run/sandbox/owned;"
            "stat -c '%U %a' /run/sandbox /run/sandbox/owned;"
            "grep -E '^(Uid|Gid|Cap...|NoNewPrivs|Seccomp):' /proc/$pid/status;"
            "nsenter -t $pid -m findmnt -rno TARGET,OPTIONS | grep -E '^(/|/tmp|/var/tmp|/dev|/home) ' | sort")

    def start(self):
        super().start()
        self.seen = self.look()

    def check(self):
        super().check()
        now = self.look()
        expect(now == self.seen, f"it was\n{self.seen}\nand is\n{now}")


class Scope(Service):
    """A scope, in a slice of its own and with limits."""
    name = "counting"
    asked = {"Slice": "batch.slice", "MemoryMax": str(64 << 20), "TasksMax": "20", "CPUWeight": "50",
             "Description": "counts on"}

    def __init__(self, node):
        super().__init__(node)
        self.units = (f"{self.name}.scope",)

    def install(self):
        pass

    def start(self):
        words = " ".join(f"-p {key}={value}" for key, value in self.asked.items() if key not in ("Slice", "Description"))
        self.node.exec(f"setsid systemd-run --scope --unit {self.name} --slice batch --description 'counts on' {words}"
                       f" {BIN}/service {self.file} </dev/null >/dev/null 2>&1 &")
        self.wait_count()
        self.node.exec("segue", "keep", *self.units)

    def check(self):
        self.wait_count()
        told = {key: self.node.output("systemctl", "show", "-P", key, *self.units) for key in self.asked}
        expect(told == self.asked, f"it was asked to be {self.asked} and is {told}")
        limits = self.node.output(f"cd /sys/fs/cgroup/batch.slice/{self.units[0]} && cat memory.max pids.max cpu.weight")
        expect(limits.split() == [str(64 << 20), "20", "50"], f"memory.max, pids.max and cpu.weight are {limits}")
