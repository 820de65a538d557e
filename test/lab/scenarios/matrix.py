# SPDX-License-Identifier: Apache-2.0
"""The matrix of Debian's programs: each under load, from Debian's own kernel to the newest of the backports.

What cannot be carried must be refused by `segue check`, by name, and not be found out later.  What came of each program
goes to test/out/SCENARIO.json, of which `compatibility` makes doc/compatibility.md.
"""

import json
from pathlib import Path

from kept.matrix.batch import Ffmpeg, Numpy, Podman, TmuxVim
from kept.matrix.databases import Etcd, MariaDB, Memcached, PostgreSQL, Valkey
from kept.matrix.messages import Bind, Dovecot, Mosquitto, OpenSsh, Postfix, RabbitMQ
from kept.matrix.web import Apache, HAProxy, Lighttpd, Nginx, NodeJs, OpenJdk, PhpFpm
from suite import expect, scenario

OUT = Path(__file__).resolve().parents[2] / "out"
GROUPS = {
    "programs-databases": (PostgreSQL, MariaDB, Valkey, Memcached, Etcd),
    "programs-web": (Nginx, Apache, Lighttpd, PhpFpm, HAProxy, NodeJs, OpenJdk),
    "programs-messages": (Mosquitto, RabbitMQ, Bind, Postfix, Dovecot, OpenSsh),
    "programs-batch": (Ffmpeg, Numpy, TmuxVim, Podman),
}
LIMIT = 1500
MEMORY = 2048
CHECK_LIMIT = 400        # each program stands still for a moment


class Matrix:
    """The programs of one guest, and what came of them."""

    def __init__(self, case, kinds):
        self.case, self.node = case, case.node
        self.programs = [kind(case.node) for kind in kinds if case.wants(kind.name)]
        self.kept = []
        self.rows = {}

    def start(self):
        with self.case.point("install", needed=True):
            for one in self.programs:
                one.install()
            self.node.install()
            self.node.exec("systemctl", "daemon-reload")
        for one in self.programs:
            self.rows[one.name] = {"program": one.title, "version": one.version(), "nature": one.nature,
                                   "load": one.load, "remark": one.remark, "result": "failed"}
            with self.case.point(f"start/{one.name}"):
                one.start()
                self.kept.append(one)

    def findings(self):
        return self.node.segue_json("check", check=False, limit=CHECK_LIMIT)

    def refusals(self, findings, one):
        """What `segue check` refuses it for."""
        names = [name for unit in one.units for name in (unit, unit.removesuffix(".service"))]
        return [finding for finding in findings
                if finding["severity"] == "refusal" and finding["subject"] in names]

    def adapt(self, one, findings):
        """One that cannot be carried as shipped: named, with a way out, which is taken where it keeps the program."""
        with self.case.point(f"refused/{one.name}"):
            found = self.refusals(findings, one)
            named = [finding for finding in found if one.refused in finding["resource"] + finding["message"]]
            expect(named, f"no refusal of {one.title} names {one.refused}: {found}")
            expect(all(finding["message"] and finding["remedy"] for finding in named), f"no remedy: {named}")
            if one.adapt:
                one.end()
                one.adapt()
                one.begin()
            else:
                self.kept.remove(one)
                self.rows[one.name]["result"] = "refused"
                self.node.segue("unkeep", *one.units)
                self.node.exec("systemctl", "stop", *one.units)

    def check(self):
        findings = self.findings()["findings"]
        for one in list(self.kept):
            if one.refused:
                self.adapt(one, findings)
        with self.case.point("check", needed=True):
            check = self.findings()
            expect(check["ok"], f"segue check refuses: {check['findings']}")

    def swap(self):
        node, kept = self.node, self.kept
        with self.case.point("load", needed=True):
            for one in kept:
                one.prepare()
        units = [unit for one in kept for unit in one.units]
        before = node.units(*units)
        for one in kept:
            one.remember(before)
        target = node.kernel("7.")
        with self.case.point("swap", needed=True):
            status = node.swap("--kernel", target)
            expect(status["state"] == "done", f"the swap ended {status['state']}: {status.get('error')}")
            expect(node.guest.kernel() == target, f"the kernel is {node.guest.kernel()}, not {target}")
        after = node.units(*units)
        outcomes = {unit["unit"]: unit["outcome"] for unit in status["units"]}
        for one in kept:
            with self.case.point(one.name):
                wrong = {unit: outcomes.get(unit) for unit in one.units if outcomes.get(unit) != "carried"}
                expect(not wrong, f"not carried: {wrong}")
                one.check_units(after)
                one.check()
                one.end()
                self.rows[one.name]["result"] = "carried"
        return {"from": status["from"], "to": status["to"], "blackout_s": status["blackout_s"]}

    def write(self, swap):
        OUT.mkdir(parents=True, exist_ok=True)
        told = {"swap": swap, "programs": list(self.rows.values())}
        (OUT / f"{self.case.scenario.name}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def perform(case):
    matrix = Matrix(case, GROUPS[case.scenario.name])
    swap = {}
    try:
        matrix.start()
        matrix.check()
        swap = matrix.swap()
    finally:
        matrix.write(swap)


for chosen in GROUPS:
    scenario(LIMIT, name=chosen, group="programs", memory=MEMORY, layer="programs")(perform)
