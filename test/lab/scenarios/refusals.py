# SPDX-License-Identifier: Apache-2.0
"""Units that cannot be carried: refused at check, by the name of what stands in the way; nothing is touched."""

import json

from node import BIN, STATUS_REFUSED
from suite import expect, scenario

# What a unit holds, and a word that the refusal names it by.
OBSTACLES = (
    ("rtc", "device /dev/rtc0", "/dev/rtc0"),
    ("disk", "device /dev/vda", "/dev/vda"),
    ("trace", "trace", "trace"),
    ("uring", "uring", "uring"),
    ("renamed", "socket /run/obstacle-socket", "renamed"),
)


def untouched(node):
    return node.read("/proc/sys/kernel/random/boot_id"), node.running()


@scenario(limit=1200)
def refusals(case):
    node = case.node
    for name, words, resource in OBSTACLES:
        if not case.wants(name):
            continue
        unit = f"obstacle-{name}"
        with case.point(name):
            node.service(unit, f"ExecStart={BIN}/obstacle {words}")
            node.wait(f"{unit} to be ready", lambda: "ready" in node.output("journalctl", "-u", unit, "-o", "cat"))
            node.keep(unit)
            before = untouched(node)
            check = json.loads(node.segue("check", "--json", check=False).stdout)
            expect(check["ok"] is False, f"segue check finds nothing: {check}")
            found = [finding for finding in check["findings"]
                     if finding["severity"] == "refusal" and finding["subject"] == f"{unit}.service"]
            named = [finding for finding in found if resource in finding["resource"] + finding["message"]]
            expect(named, f"no refusal of {unit} names {resource}: {check['findings']}")
            expect(all(finding["message"] and finding["remedy"] for finding in named), f"no remedy: {named}")
            done = node.segue("swap", check=False)
            expect(done.returncode == STATUS_REFUSED, f"segue swap exited with {done.returncode}: {done.stderr}")
            expect(unit in done.stderr and len(done.stderr.splitlines()) == 1, f"segue swap said: {done.stderr!r}")
            after = untouched(node)
            expect(before == after, f"something was touched:\n{before}\n{after}")
        with case.point(f"{name}/unkept"):
            node.segue("unkeep", unit)
            node.exec("systemctl", "stop", unit)
            check = node.segue_json("check", check=False)
            expect(check["ok"], f"segue check refuses still: {check['findings']}")
    if case.wants("adapt"):
        with case.point("adapt"):
            adapt(node)


def adapt(node):
    """Capabilities in a user namespace of the unit's own: refused, until it is adapted and started again."""
    unit = "adapted"
    node.service(unit, f"ExecStart={BIN}/service /run/{unit}", "PrivateUsers=yes")
    node.keep(unit)
    done = node.segue("check", check=False)
    expect(done.returncode == STATUS_REFUSED, f"segue check exited with {done.returncode}: {done.stderr}")
    expect("segue keep --adapt" in done.stdout + done.stderr, f"no remedy: {done.stdout}{done.stderr}")
    said = node.segue("keep", "--adapt", unit).stdout
    expect("PrivateUsers" in said and "restart" in said, f"segue keep --adapt said: {said!r}")
    node.exec("systemctl", "restart", unit)
    expect(node.output("systemctl", "show", "-P", "PrivateUsers", unit) == "no", "the unit was not adapted")
    check = node.segue_json("check", check=False)
    expect(check["ok"], f"segue check refuses still: {check['findings']}")
    node.segue("unkeep", unit)
    left = node.output(f"grep -r PrivateUsers /etc/systemd/system/{unit}.service.d", check=False)
    expect(not left, f"segue unkeep left behind: {left}")
    node.exec("systemctl", "stop", unit)
