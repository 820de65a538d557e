# SPDX-License-Identifier: Apache-2.0
"""A guest: a running Debian 13 that a test, or the command line, brings up, talks to, resets and takes down.

    import sys; sys.path.insert(0, "..")            # the directory that holds lab/
    from lab.guest import Guest
    guest = Guest("n1").up(kernel="6.12")
    mark = guest.mark()
    guest.exec("systemctl", "start", "nginx")       # raises LabError unless it exits with 0
    guest.wait_console(r"Linux version 7\\.", limit=120, mark=mark)
    guest.wait_ssh()
    guest.down()
"""

import os
import re
import shutil
import time

from lab import accelerator, cache, host, image, package, wait
from lab.command import say
from lab.error import LabError
from lab.machine import Machine, Shape, running
from lab.network import addresses
from lab.shell import Shell

# Generous: an emulated machine on a busy host.
BOOT_LIMIT = 300
RESUME_LIMIT = 60
INSTALL_LIMIT = 180
KEPT_SNAPSHOTS = 24


class Guest:
    """The guest `name` (n1, n2, ...), whether up or not."""

    def __init__(self, name="n1"):
        self.name = name
        self.machine = Machine(name)
        self.shell = Shell(name)
        self.ipv4, self.ipv6 = addresses(name)

    # Up and down

    def up(self, kernel="6.12", fresh=False, bare=False, **shape):
        """Bring it up with the newest kernel that `kernel` begins; it answers ssh and is idle when this returns.

        `shape`: as machine.Shape has it.  It has segue's package as `lab/lab deb` last built it, unless `bare`.  It
        resumes from a snapshot; one that does not exist is made first, of a boot or of a bare snapshot.  `fresh` boots
        and uses and makes none.
        """
        layer = shape.get("layer", "")
        image.current().layer(layer)    # before the locks: to make it takes its time
        with cache.lock(f"guest-{self.name}"), cache.lock("image", shared=True):
            current = image.current().layer(layer)
            shape = Shape(current.kernel(kernel), **shape)
            kind = accelerator.choose(current)
            deb = None if bare else package.current()
            self.machine.require_down()
            try:
                if fresh or not shape.can_be_saved:
                    self._boot(current, shape, kind)
                    if deb:
                        self.install(deb)
                else:
                    snapshot = self._bare_snapshot(current, shape, kind)
                    if deb:
                        snapshot = self._package_snapshot(current, shape, kind, snapshot, deb)
                    self._resume(current, shape, kind, snapshot)
            except BaseException:
                # What it showed is left to be read, until it comes up or down.
                self.machine.stop()
                raise
        return self

    def _bare_snapshot(self, current, shape, kind):
        """A snapshot of it just booted, without segue; made unless it exists."""
        key = cache.digest(host.qemu_version(), *self.machine.argv(current, shape, kind))
        snapshot = cache.directory("snapshot") / key
        if not snapshot.exists():
            say(f"booting {self.name} with {shape.kernel} for the first time; later it resumes from a snapshot")
            self._boot(current, shape, kind)
            self._save(snapshot, current)
            _trim_snapshots()
        os.utime(snapshot)
        return snapshot

    def _package_snapshot(self, current, shape, kind, bare, deb):
        """A snapshot of it with segue's package installed; made unless it exists."""
        snapshot = bare.with_name(f"{bare.name}-{cache.digest(deb)}")
        if not snapshot.exists():
            say(f"installing {deb.name} in {self.name}; later it resumes from a snapshot with it")
            self._resume(current, shape, kind, bare)
            self.install(deb)
            for old in bare.parent.glob(f"{bare.name}-*"):
                shutil.rmtree(old)
            self._save(snapshot, current)
        return snapshot

    def _boot(self, current, shape, kind):
        """Start it, wait until it has started all its services, and give it its name."""
        self.machine.start(current, shape, kind, (current.disk(shape.filesystem), "raw"))
        self.wait_ssh(BOOT_LIMIT)
        self.exec(f"hostnamectl hostname {self.name}; systemctl is-system-running --wait", check=False,
                  limit=BOOT_LIMIT)

    def _resume(self, current, shape, kind, snapshot):
        self.machine.start(current, shape, kind, (snapshot / "disk.qcow2", "qcow2"), snapshot / "state")
        self.wait_ssh(RESUME_LIMIT)
        # It has slept since the snapshot was made.
        self.exec(f"date -s @{time.time():.2f}")

    def _save(self, snapshot, current):
        self.exec("sync")
        self.shell.disconnect()
        self.machine.save(snapshot, {"image": current.id, "guest": self.name})

    def install(self, deb):
        """Install the package `deb` as its user would."""
        self.push(deb, "/root/")
        self.exec("DEBIAN_FRONTEND=noninteractive apt-get -q -y --allow-downgrades --reinstall install"
                  f" /root/{deb.name} && rm /root/{deb.name}", limit=INSTALL_LIMIT)

    # Back to an earlier moment

    @property
    def _moment(self):
        return self.machine.path.with_suffix(".moment")

    def remember(self):
        """Note how it is now, for revert(); it goes on from there."""
        told = self.machine.description
        self._save(self._moment, image.current())
        cache.write_json(self._moment / "machine.json", told)
        self.revert()

    def revert(self):
        """It is again as it was at the last remember()."""
        self.shell.disconnect()
        self.machine.stop()
        told = cache.read_json(self._moment / "machine.json")
        self._resume(image.current(), Shape.told(told), told["accelerator"], self._moment)

    def cut_power(self):
        """The plug is pulled, and put in again: the kernel it was brought up with boots, on the disk as it is."""
        self.shell.disconnect()
        self.machine.stop()
        self.machine.start_again(image.current())

    def down(self):
        """End it as by pulling the plug; its disk is forgotten."""
        self.shell.disconnect()
        self.machine.stop()
        shutil.rmtree(self.machine.path, ignore_errors=True)
        shutil.rmtree(self._moment, ignore_errors=True)

    def reset(self):
        """As the reset button: the kernel it was brought up with boots again, on the disk as it is."""
        self.shell.disconnect()
        self.machine.reset()

    @property
    def is_up(self):
        return self.machine.pid() is not None

    # Commands and files

    def exec(self, *words, check=True, limit=60, text=None):
        """Run a command (a single word is a shell's line) as root; returns the subprocess.CompletedProcess.

        With `check` an exit code other than 0 raises LabError.  `text` is its standard input.
        """
        self.machine.require_up()
        done = self.shell.run(*words, limit=limit, text=text)
        if check and done.returncode != 0:
            raise LabError(f"`{' '.join(map(str, words))}` in {self.name} exited with {done.returncode}: "
                           f"{(done.stderr or done.stdout).strip()}")
        return done

    def output(self, *words, **options):
        """As exec, and returns the standard output without the blanks around it."""
        return self.exec(*words, **options).stdout.strip()

    def push(self, source, target):
        """Copy a file or directory of the host into the guest."""
        self.machine.require_up()
        self.shell.copy(source, f":{target}")

    def pull(self, source, target):
        """Copy a file or directory of the guest to the host."""
        self.machine.require_up()
        self.shell.copy(f":{source}", target)

    def kernel(self):
        """The version of the kernel that runs now."""
        return self.output("uname", "-r")

    # Waiting

    def wait_ssh(self, limit=120):
        """Wait until a new ssh connection can be made."""
        self.wait(f"ssh to {self.name}", self.shell.reconnect, limit)

    def mark(self):
        """The present end of the console, for text() and wait_console()."""
        return len(self.machine.console_bytes())

    def console(self, mark=0):
        """What the serial console showed since `mark`, as text."""
        return self.machine.console_bytes(mark).decode(errors="replace").replace("\r", "")

    def wait_console(self, pattern, limit=120, mark=0):
        """Wait until the console shows, after `mark`, what the regular expression matches; returns the match."""
        compiled = re.compile(pattern, re.MULTILINE)
        return self.wait(f"/{pattern}/ on the console of {self.name}", lambda: compiled.search(self.console(mark)),
                         limit)

    def wait(self, what, check, limit=60):
        """Wait until check() returns something true, and return that; fails at once when the machine ends."""
        def check_alive():
            result = check()
            if not result:
                self.machine.require_up()
            return result
        return wait.until(what, check_alive, limit, self.machine.last_lines)

    # The machine

    def qmp(self, command, **arguments):
        """Execute a command of QEMU's monitor and return its result."""
        with self.machine.qmp() as qmp:
            return qmp.execute(command, **arguments)


def _trim_snapshots():
    """Remove the bare snapshots used longest ago, with those made of them, beyond as many as are worth their disk."""
    directory = cache.directory("snapshot")
    bare = [path for path in directory.iterdir() if re.fullmatch("[0-9a-f]+", path.name)]
    for path in sorted(bare, key=os.path.getmtime)[:-KEPT_SNAPSHOTS]:
        for old in directory.glob(f"{path.name}*"):
            shutil.rmtree(old)


def up():
    """The guests that are up."""
    return [Guest(machine.name) for machine in running()]
