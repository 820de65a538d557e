# SPDX-License-Identifier: Apache-2.0
"""Every failure, at every place where one can be ordered: whatever happens, the kept programs run afterwards.

Each visit is a swap with one fault ordered (src/swap/faults.h lists them).  Those before the jump are made one after
the other in one guest; those after it each in a guest as it was before the first.  What each has led to is left in
test/out/faults.json.
"""

import json
import re
import time

from kept.programs import Hold
from kept.servers import Redis
from lab.error import LabError
from suite import OUT, expect, scenario

FAULT = "/etc/segue/fault"
MARK = r"segue: fault \S+ power-cut"
PANIC = r"Kernel panic - not syncing"
BEFORE_JUMP = ("check", "stage", "warm", "settle", "freeze", "capture", "jump", "called-off")
# Of the steps of segue-init that come before the root filesystem, and so before the file.
EARLY = ("land-handover", "land-pids", "land-modules", "land-root")
# What follows passes them again: another undoing, or the way back, which is what is tested with them.
ONCE = ("undo-abandoned", "store-find", "restore-network", "restore-criu")
ENDED_LIMIT = 420       # of a swap that does not jump
LANDED_LIMIT = 540      # of one that does, until all is over, with two kernels more
BOOTED_LIMIT = 720      # of one that a boot comes between
BOOT_LIMIT = 300
LOOK_PERIOD = 2
# make test: before settle a visit takes seconds, after it some units have to be stopped and started.
REPRESENTATIVE = ("check:crash", "check-trial:hang", "stage-initramfs:disk-full", "stage-kernel:no-memory", "warm:hang",
                  "store-reserve:disk-full", "settle:crash", "freeze-units:crash", "journal-capture:flip",
                  "capture-criu:crash", "jump-kernel:crash", "undo:crash", "restore-criu:crash", "restore-units:panic")


class Visit:
    """One fault, and how the swap is to end."""

    def __init__(self, point):
        self.point, self.step, self.kind, self.end = point["name"], point["step"], point["kind"], point["end"]

    @property
    def name(self):
        return f"{self.point}:{self.kind}"

    @property
    def is_before_jump(self):
        # A damaged capture shows after it.
        return self.step in BEFORE_JUMP and self.point != "capture-sealed"

    @property
    def ends_machine(self):
        return self.kind in ("panic", "power-cut")

    @property
    def order(self):
        """What is written to the file of faults: beside the fault, what leads to it or shows what came of it."""
        once = " once" if self.step in ("adopt", "confirm") or self.point in ONCE else ""
        lines = [f"{self.point} {self.kind}{once}"]
        if self.kind in ("truncate", "flip") and self.is_before_jump:       # of the journal
            lines.append(f"{self.step} crash")
        if self.kind == "daemon-crash" or self.end == "goes on":
            if self.is_before_jump:
                lines.append("jump-filesystems error")
        lines += {"undo": ["freeze-units error"], "undo-abandoned": ["freeze-units crash"],
                  "return-kernel": ["restore-units error"], "boot-jump": ["restore-units panic"]}.get(self.point, [])
        return "\n".join(lines) + "\n"

    @property
    def states(self):
        """What the swap may be in when it is over."""
        if self.is_before_jump and not self.ends_machine:
            return {"refused": ("refused", "called-off")}.get(self.end, ("called-off",))
        return {"returned": ("returned",), "stayed": ("failed", "done"), "goes on": ("done",)}.get(
            self.end, ("failed", "returned", "done", "called-off"))


class Field:
    """The guest, and the programs in it that are to live."""

    def __init__(self, case):
        self.case, self.node = case, case.node
        self.hold, self.redis = Hold(self.node, "hold", 48), Redis(self.node)
        self.kept = (self.hold, self.redis)
        self.units = [unit for one in self.kept for unit in one.units]
        self.before, self.last, self.next_look = {}, None, 0

    def set_up(self):
        self.node.configure("[segue]\nStore=disk\n")
        for one in self.kept:
            one.install()
        self.node.install()
        # As units are that are to be there after a power cut.
        self.node.exec("systemctl enable hold")
        self.hold.start()
        self.node.guest.remember()
        self.begin()

    def begin(self):
        """In a guest that is as it was at the first: a client connects, and what runs is noted."""
        self.redis.start()
        self.before = self.node.units(*self.units)

    def revert(self):
        self.redis.peer.end()
        self.node.guest.revert()
        self.begin()

    # What is true of the programs

    def intact(self):
        """They are what they were, and their connections as well."""
        after = self.node.units(*self.units)
        for one in self.kept:
            one.remember(self.before)
            one.check_units(after)
            one.check()

    def afresh(self, status):
        """They run, and the report does not claim that they never stopped."""
        def active():
            units = self.node.units(*self.units)
            return all(unit["ActiveState"] == "active" for unit in units.values())
        self.node.wait("the units to be started afresh", active, BOOT_LIMIT)
        told = {unit["unit"]: unit["outcome"] for unit in status["units"]}
        expect("carried" not in told.values(), f"the report has units as carried: {told}")
        expect(status.get("error") or status.get("message"), f"the report says nothing: {status}")

    # A visit

    def ended(self):
        """The status, if a swap is over."""
        try:
            if not self.node.guest.shell.socket.exists() and not self.node.guest.shell.reconnect():
                return None
            done = self.node.segue("status", "--json", check=False, limit=15)
            swap = json.loads(done.stdout).get("swap") if done.returncode == 0 else None
        except (LabError, ValueError):
            self.node.guest.shell.disconnect()
            return None
        return swap if swap and not swap["running"] and swap["id"] != self.last else None

    def wait_end(self, visit):
        """Until the swap is over; a machine that has stopped is started again."""
        limit = BOOTED_LIMIT if visit.ends_machine else ENDED_LIMIT if visit.is_before_jump else LANDED_LIMIT
        guest, cut = self.node.guest, False

        def over():
            nonlocal cut
            # The kernel of the guest's boot stands still after a panic; the one that is swapped to boots.
            stopped = MARK if visit.kind == "power-cut" else PANIC if visit.is_before_jump else None
            if visit.ends_machine and not cut and stopped:
                if re.search(stopped, guest.console()):
                    guest.cut_power()
                    cut = True
                return None
            # Not more often: asking takes time that an emulated guest would do its work in.
            if time.monotonic() < self.next_look:
                return None
            self.next_look = time.monotonic() + LOOK_PERIOD
            return self.ended()
        return self.node.wait(f"the swap with {visit.name} to be over", over, limit)

    def visit(self, visit):
        """Make it; "survived" or "cold", and what the report says."""
        node = self.node
        self.last = (node.swap_status() or {}).get("id")
        if visit.point in EARLY:
            node.configure(f"[segue]\nStore=disk\nKexecAppend=segue.fault={visit.point}:{visit.kind}\n")
        else:
            node.write(FAULT, visit.order)
        trial = [] if visit.point.startswith("check-") else ["--no-trial"]
        process = node.start("segue", "swap", *trial)
        try:
            status = self.wait_end(visit)
        finally:
            process.kill()
            process.communicate()
            node.exec("rm", "-f", FAULT, check=False)
        expect(status["state"] in visit.states, f"the swap ended {status['state']}, not {visit.states}: {status}")
        if visit.end == "afresh" and node.units(*self.units) != self.before:
            self.afresh(status)
            return "cold", status
        self.intact()
        if visit.is_before_jump:
            self.left_nothing()
        return "survived", status

    def left_nothing(self):
        """After a swap that was called off."""
        found = self.node.output("cat /sys/kernel/kexec_loaded; ls /var/lib/segue/capture/segue-capture"
                                 " /var/lib/segue/trial; systemctl is-active ssh", check=False)
        expect(found.split() == ["0", "active"], f"the swap has left (kexec loaded, captures, ssh): {found}")


def chosen(case, visits, names):
    """Those asked for, by point:kind, point or step; else those of `names`; else all."""
    if case.wants(""):
        return [visit for visit in visits if not names or visit.name in names]
    return [visit for visit in visits
            if case.wants(visit.name) or case.wants(visit.point) or case.wants(visit.step)]


def visit_each(case, field, visits):
    """Points of the visits; what each led to."""
    told = []
    for i, visit in enumerate(visits):
        result, report, steps = "lost", "", {}
        began = time.monotonic()
        failed = case.failed
        with case.point(visit.name):
            result, status = field.visit(visit)
            report = status.get("error") or status.get("message")
            steps = {step["step"]: round(step.get("duration_us", 0) / 1e6, 1) for step in status["steps"]}
        told.append({"point": visit.point, "kind": visit.kind, "step": visit.step, "documented": visit.end,
                     "result": result, "report": report, "seconds": round(time.monotonic() - began), "steps": steps})
        (OUT / "faults.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        used = case.failed > failed or visit.ends_machine or not visit.is_before_jump
        if used and i + 1 < len(visits):
            with case.point(f"{visit.name}/revert", needed=True):
                field.revert()
    return told


def visit_all(case, names):
    field = Field(case)
    with case.point("start", needed=True):
        field.set_up()
    points = [Visit(point) for point in json.loads(case.node.output("/usr/lib/segue/segued --fault-points"))]
    visits = chosen(case, points, names)
    # Those that leave the guest as it is come first.
    visits.sort(key=lambda visit: (not visit.is_before_jump, visit.ends_machine))
    expect(visits, "there is no such fault")
    visit_each(case, field, visits)
    field.redis.peer.end()


@scenario(limit=1500)
def faults(case):
    visit_all(case, REPRESENTATIVE)


@scenario(limit=6 * 3600, name="every-fault", group="faults")
def every_fault(case):
    visit_all(case, None)
