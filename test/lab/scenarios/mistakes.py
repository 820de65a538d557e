# SPDX-License-Identifier: Apache-2.0
"""Bad input and machines that are not ready: each a one-line error that names the thing, and nothing is changed."""

from node import BIN, STATUS_BUSY, STATUS_CALLED_OFF, STATUS_FAILED, STATUS_NOT_PERMITTED, STATUS_NOT_REACHABLE, \
    STATUS_REFUSED, STATUS_USAGE
from suite import expect, scenario
from scenarios.refusals import untouched

FILL = "/usr/local/bin/fill"
# Bytes that are left on the disk: too few for the store; enough for check to pass, too few for any capture.
SMALL = 20 << 20
FULL = 100000


class Mistakes:
    """What is tried, one method each; what it did to the guest it undoes."""

    def __init__(self, case):
        self.node = case.node
        self.old = self.node.guest.kernel()
        self.new = self.node.kernel("7.")

    def fails(self, status, *words, says=(), before=""):
        """segue WORDS exits with `status` and says one line with each of `says`; nothing is touched."""
        node = self.node
        state = untouched(node)
        done = node.exec(f"{before} segue {' '.join(words)}".strip(), check=False, limit=180)
        lines = done.stderr.strip().splitlines()
        expect(done.returncode == status, f"segue {words} exited with {done.returncode}, not {status}: {done.stderr}")
        expect(len(lines) == 1 and lines[0].startswith("segue: "), f"segue {words} said: {done.stderr!r}")
        for word in says:
            expect(word in lines[0], f"segue {words} does not name {word}: {lines[0]}")
        now = untouched(node)
        expect(state == now, f"segue {words} changed something:\n{state}\n{now}")
        return lines[0]

    def unknown_unit(self):
        self.fails(STATUS_FAILED, "keep", "nowhere.service", says=["nowhere.service"])

    def stopped_unit(self):
        self.node.service("idle", f"ExecStart={BIN}/service /run/idle")
        self.node.exec("systemctl", "stop", "idle")
        self.fails(STATUS_FAILED, "keep", "idle", says=["idle.service", "segue keep --stopped idle"])

    def unit_name(self):
        self.fails(STATUS_FAILED, "keep", "'a/b c'", says=["a/b c"])

    def words(self):
        self.fails(STATUS_USAGE, "swap", "--colour", says=["--colour"])
        self.fails(STATUS_USAGE, "keep", says=["keep"])
        self.fails(STATUS_USAGE, "swop", says=["swop"])

    def missing_command(self):
        self.fails(STATUS_FAILED, "run", "--", "no-such-program", says=["no-such-program"])

    def dry_run(self):
        """Says what would be done, and does nothing."""
        state = untouched(self.node)
        done = self.node.segue("swap", "--dry-run", "--kernel", self.new)
        expect(self.new in done.stdout, f"segue swap --dry-run said: {done.stdout}")
        expect(untouched(self.node) == state, "something was changed")

    def running_kernel(self):
        self.fails(STATUS_REFUSED, "swap", "--kernel", self.old, says=[self.old, "running"])

    def missing_kernel(self):
        checked = self.node.exec("segue check --kernel 5.99.1", check=False)
        expect(checked.returncode == STATUS_REFUSED and "refusal: 5.99.1," in checked.stdout,
               f"segue check exited with {checked.returncode}: {checked.stdout}{checked.stderr}")
        line = self.node.exec("segue swap --kernel 5.99.1", check=False)
        expect(line.returncode == STATUS_REFUSED and "5.99.1" in line.stderr,
               f"segue swap exited with {line.returncode}: {line.stderr}")

    def kernel_without_modules(self):
        self.node.exec(f"mv /lib/modules/{self.new} /root/modules")
        try:
            self._refused_kernel()
        finally:
            self.node.exec(f"mv /root/modules /lib/modules/{self.new}")

    def kernel_corrupt(self):
        self.node.exec(f"cd /boot && cp -p vmlinuz-{self.new} /root/kernel && truncate -s 5000 vmlinuz-{self.new}")
        try:
            self._refused_kernel()
        finally:
            self.node.exec(f"cp -p /root/kernel /boot/vmlinuz-{self.new}")

    def kernel_garbage(self):
        self.node.exec(f"cd /boot && cp -p vmlinuz-{self.new} /root/kernel &&"
                       f" dd if=/dev/urandom of=vmlinuz-{self.new} bs=1M count=8 conv=notrunc status=none")
        try:
            self._refused_kernel()
        finally:
            self.node.exec(f"cp -p /root/kernel /boot/vmlinuz-{self.new}")

    def _refused_kernel(self):
        state = untouched(self.node)
        done = self.node.exec(f"segue swap --kernel {self.new}", check=False, limit=120)
        expect(done.returncode == STATUS_REFUSED, f"exited with {done.returncode}: {done.stderr}")
        expect(len(done.stderr.strip().splitlines()) == 1 and self.new in done.stderr, f"said: {done.stderr!r}")
        expect(untouched(self.node) == state, "something was changed")

    def _fill(self, leaving):
        """Make a command that fills the root filesystem up to `leaving` bytes."""
        self.node.write(FILL, f"#!/bin/sh\nfallocate -l $(($(stat -f -c '%f*%S' /) - {leaving})) /full\n")
        self.node.exec("chmod", "+x", FILL)

    def store_too_small(self):
        self._fill(SMALL)
        self.node.exec(FILL)
        try:
            self.fails(STATUS_REFUSED, "swap", says=["store", "MiB"])
        finally:
            self.node.exec("rm /full")

    def disk_full(self):
        """The disk fills up between check and capture: a hook of the kept unit sees to it."""
        node = self.node
        self._fill(FULL)
        node.service("filler", f"ExecStart={BIN}/service /run/filler")
        node.write("/etc/systemd/system/filler.service.d/segue.conf", f"[X-Segue]\nPreFreeze={FILL}\n")
        node.exec("systemctl daemon-reload")
        node.keep("filler")
        pid = node.output("systemctl", "show", "-P", "MainPID", "filler")
        try:
            done = node.segue("swap", check=False, limit=240)
        finally:
            node.exec("rm -f /full; segue unkeep filler")
        expect(done.returncode == STATUS_CALLED_OFF, f"exited with {done.returncode}: {done.stdout}{done.stderr}")
        expect("space" in done.stderr, f"said: {done.stderr}")
        expect(node.output("systemctl", "show", "-P", "MainPID", "filler") == pid, "the kept unit is not what it was")
        count = int(node.read("/run/filler"))
        node.wait("the kept unit to go on", lambda: int(node.read("/run/filler")) > count)
        self._servers_run()

    def _swap_held(self):
        """A swap that stands in a PreFreeze= hook, everything that is not kept stopped; ends when its hook is let go."""
        node = self.node
        node.service("slow", f"ExecStart={BIN}/service /run/slow")
        node.exec("printf '#!/bin/sh\\ntouch /run/waiting\\nread line </run/go\\nexit 1\\n' >/usr/local/bin/hold-on;"
                  " chmod +x /usr/local/bin/hold-on; rm -f /run/waiting /run/go; mkfifo /run/go")
        node.write("/etc/systemd/system/slow.service.d/segue.conf", "[X-Segue]\nPreFreeze=/usr/local/bin/hold-on\n")
        node.exec("systemctl daemon-reload")
        node.keep("slow")
        process = node.start("segue", "swap")
        node.wait("the hook to run", lambda: node.exec("test -e /run/waiting", check=False).returncode == 0, 120)
        return process

    def _servers_run(self):
        self.node.wait("the other units to be started again",
                       lambda: self.node.output("systemctl", "is-active", "nginx", "redis-server", check=False)
                       == "active\nactive", 120)

    def second_swap(self):
        """While a swap is under way, another is refused, and so is a check."""
        node = self.node
        process = self._swap_held()
        try:
            done = node.segue("swap", check=False)
            expect(done.returncode == STATUS_BUSY and len(done.stderr.splitlines()) == 1,
                   f"a second swap exited with {done.returncode}: {done.stderr}")
            done = node.segue("check", check=False)
            expect(done.returncode == STATUS_BUSY, f"a check exited with {done.returncode}: {done.stderr}")
        finally:
            node.exec("echo go >/run/go; segue unkeep slow", check=False, limit=90)
            output, error = process.communicate(timeout=180)
        expect(process.returncode == STATUS_CALLED_OFF, f"the first exited with {process.returncode}: {output}{error}")
        expect("PreFreeze" in error, f"the first said: {error}")
        self._servers_run()

    def worker_killed(self):
        """What a killed swap had begun is undone by segued."""
        node = self.node
        process = self._swap_held()
        pid = node.output("systemctl", "show", "-P", "MainPID", "slow")
        try:
            node.exec("pkill", "-KILL", "-x", "segued-work")
        finally:
            output, error = process.communicate(timeout=180)
            node.exec("pkill -x hold-on; segue unkeep slow", check=False, limit=90)
        expect(process.returncode == STATUS_CALLED_OFF, f"it exited with {process.returncode}: {output}{error}")
        expect(node.output("systemctl", "show", "-P", "MainPID", "slow") == pid, "the kept unit is not what it was")
        self._servers_run()

    def not_root(self):
        self.fails(STATUS_NOT_PERMITTED, "swap", before="runuser -u nobody --")
        self.fails(STATUS_NOT_PERMITTED, "keep", "redis-server", before="runuser -u nobody --")

    def group(self):
        """Members of Group= may look, and do nothing."""
        node = self.node
        node.configure("[segue]\nGroup=www-data\n")
        try:
            for words in ("status", "list", "log"):
                node.output(f"runuser -u www-data -- segue {words}")
            self.fails(STATUS_NOT_PERMITTED, "swap", before="runuser -u www-data --")
            self.fails(STATUS_NOT_PERMITTED, "status", before="runuser -u nobody --")
        finally:
            node.exec("rm -f /etc/segue/segue.conf; systemctl restart segued")

    def settings(self):
        self.node.configure("[segue]\nStore=tape\n")
        try:
            self.fails(STATUS_FAILED, "swap", says=["segue.conf", "tape"])
        finally:
            self.node.exec("rm -f /etc/segue/segue.conf; systemctl restart segued")

    def daemon_stopped(self):
        self.node.exec("systemctl stop segued.service segued.socket 2>/dev/null; systemctl stop segued", check=False)
        try:
            done = self.node.segue("status", check=False)
            expect(done.returncode == STATUS_NOT_REACHABLE and "segued" in done.stderr,
                   f"exited with {done.returncode}: {done.stderr}")
        finally:
            self.node.exec("systemctl start segued")


@scenario(limit=1200)
def mistakes(case):
    tried = Mistakes(case)
    for name in [name for name in vars(Mistakes) if not name.startswith("_") and name != "fails"]:
        if case.wants(name):
            with case.point(name):
                getattr(tried, name)()
