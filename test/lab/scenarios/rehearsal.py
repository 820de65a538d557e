# SPDX-License-Identifier: Apache-2.0
"""segue check --deep: units are captured for real and run on; whatever ends it, nothing is left over."""

import json

from kept.programs import Hold
from kept.servers import Redis
from node import BIN, STATUS_REFUSED
from suite import expect, scenario

FAULT = "/etc/segue/fault"
TRIAL = "/var/lib/segue/trial"
CAPTURE = "/var/lib/segue/capture/segue-capture"
QEMU = "/usr/bin/qemu-system-x86_64"


def left_over(node):
    """What a rehearsal may not leave behind."""
    files = node.output(f"ls -d {TRIAL} {CAPTURE} /run/segue/check", check=False)
    guests = node.output("pgrep", "-x", "qemu-system-x86", check=False)
    frozen = node.output("grep -l 1 /sys/fs/cgroup/system.slice/*/cgroup.freeze", check=False)
    return f"{files}{guests}{frozen}".strip()


def captured(check, unit):
    """The unit of a check's result, which must have been captured."""
    found = [one for one in check["units"] if one["unit"] == unit]
    expect(found and found[0].get("capture_bytes", 0) > 0, f"{unit} was not captured: {check}")
    expect(found[0]["freeze_us"] > 0, f"{unit} never stood still: {check}")
    return found[0]


@scenario(limit=1200)
def rehearsal(case):
    node = case.node
    kept = [Redis(node), Hold(node)]
    with case.point("start", needed=True):
        for one in kept:
            one.install()
        node.install()
        for one in kept:
            one.start()
    before = node.units(*(unit for one in kept for unit in one.units))
    for one in kept:
        one.remember(before)
    if case.wants("captures"):
        with case.point("captures"):
            captures(node, kept)
    if case.wants("killed"):
        with case.point("killed"):
            killed(node, kept)
    if case.wants("criu"):
        with case.point("criu"):
            criu_killed(node, kept)
    if case.wants("hooks"):
        with case.point("hooks"):
            hooks(node)
    if case.wants("interrupted"):
        with case.point("interrupted"):
            interrupted(node)
    after = node.units(*(unit for one in kept for unit in one.units))
    for one in kept:
        with case.point(f"{one.name} runs on"):
            one.check_units(after)
            one.check()
    for one in kept:
        one.end()


def captures(node, kept):
    """Each unit has a size and a time, and a machine without QEMU says so."""
    check = node.segue_json("check", "--deep")
    for one in kept:
        for unit in one.units:
            captured(check, unit)
    hold = captured(check, kept[1].units[0])
    expect(hold["capture_bytes"] >= kept[1].mib << 20, f"the capture is smaller than its memory: {hold}")
    said = [f for f in check["findings"] if f["resource"] == "rehearsal"]
    if not node.output("ls", QEMU, check=False):
        expect(any("qemu-system-x86" in (f["remedy"] or "") for f in said), f"nothing said of QEMU: {check}")
    expect(not left_over(node), f"left over: {left_over(node)}")


def killed(node, kept):
    """The process that rehearses is killed while a unit stands still."""
    node.write(FAULT, "capture-images daemon-crash once\n")
    done = node.segue("check", "--deep", check=False)
    expect(done.returncode != 0, "a killed rehearsal was told as done")
    node.wait("what it has left to be undone", lambda: not left_over(node), limit=60)


def criu_killed(node, kept):
    """A failure of criu is told of the unit."""
    node.write(FAULT, "capture-criu crash once\n")
    done = node.segue("check", "--deep", "--json", check=False)
    expect(done.returncode == STATUS_REFUSED, f"segue check exited with {done.returncode}: {done.stderr}")
    units = {unit for one in kept for unit in one.units}
    found = [f for f in json.loads(done.stdout)["findings"] if f["severity"] == "refusal"]
    expect(found and all(f["subject"] in units and "criu" in f["message"] for f in found), f"told: {found}")
    expect(not left_over(node), f"left over: {left_over(node)}")


def hooks(node):
    """PreFreeze= is run only where PostThaw= undoes it."""
    for name, lines in (("both", "PreFreeze=echo pre >>/run/both\nPostThaw=echo post >>/run/both"),
                        ("one", "PreFreeze=echo pre >>/run/one")):
        node.write(f"/etc/systemd/system/{name}.service.d/segue.conf", f"[X-Segue]\n{lines}\n")
        node.service(name, f"ExecStart={BIN}/service /run/{name}.d")
        node.keep(name)
    node.segue_json("check", "--deep")
    expect(node.output("cat", "/run/both").split() == ["pre", "post"], "the hooks were not run, each once")
    expect(not node.output("cat /run/one", check=False), "a hook was run that nothing undoes")
    for name in ("both", "one"):
        node.segue("unkeep", name)
        node.exec("systemctl", "stop", name)


def interrupted(node):
    """Nobody waits for its answer any more: it ends, what PreFreeze= did is undone, and nothing is left over."""
    node.write("/etc/systemd/system/nap.service.d/segue.conf",
               "[X-Segue]\nPreFreeze=touch /run/nap.begun; sleep 10\nPostThaw=rm /run/nap.begun\n")
    node.service("nap", f"ExecStart={BIN}/service /run/nap")
    node.keep("nap")
    node.exec("segue check --deep >/dev/null 2>&1 & until [ -e /run/nap.begun ]; do sleep 0.1; done; kill -9 $!")
    node.wait("the end of the rehearsal",
              lambda: "was interrupted" in node.output("journalctl", "-u", "segued", "-o", "cat"), limit=90)
    expect(not left_over(node), f"left over: {left_over(node)}")
    expect(not node.output("ls /run/nap.begun", check=False), "PostThaw= was not run")
    node.segue("unkeep", "nap")
    node.exec("systemctl", "stop", "nap")
