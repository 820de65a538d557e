# SPDX-License-Identifier: Apache-2.0
"""Four nodes that serve the same pages behind a load balancer are moved to another kernel, by a hub, while a client on
another host does not see one request fail: with a kernel that panics first, then with one that does not, and back all at
once."""

import json
import time

from balancer import Balancer
from hub import Hub
from kept.base import expect_peer
from kept.servers import Nginx
from node import Node
from peer import Peer
from scenarios.fleet import joined, reported, trusting
from suite import OUT, expect, scenario

PAGE = "/page"
THREADS = 4
OTHERS = 3
BAD, GOOD, BACK = "bad", "good", "back"
FAULT = "/etc/segue/fault"
PUSH_LIMIT = 600
ROLLOUT_LIMIT = 2400
BACK_LIMIT = 720        # a panic, a boot of the old kernel, and the programs' return in it
BOOT_LIMIT = 600


class Web(Nginx):
    """nginx with a page, and nobody who downloads."""

    def install(self):
        self.node.put(f"/var/www/html{PAGE}", "the same everywhere")
        self.node.wanted.append("nginx")

    def start(self):
        pass

    def prepare(self):
        self.remember(self.node.units(*self.units))

    def check(self):
        self.check_units(self.node.units(*self.units))


class Farm:
    """The nodes, what is in front of them, and who asks."""

    def __init__(self, case):
        self.case = case
        self.nodes = [case.node] + [Node(f"n{case.node.number + 8 * (i + 1)}") for i in range(OTHERS)]
        self.webs = [Web(node) for node in self.nodes]
        self.hub = self.balancer = self.client = None
        self.seconds = {}

    def boot(self):
        for node in self.nodes[1:]:
            node.up(self.case.scenario)
        for node, web in zip(self.nodes, self.webs):
            node.configure("[segue]\nStore=disk\n")
            web.install()
            node.install()
            web.prepare()

    def join(self):
        self.hub = Hub()
        token = self.hub.run("hub", "token", "--uses", str(len(self.nodes))).stdout.strip()
        trust = self.hub.owner()
        for node in self.nodes:
            joined(node, self.hub, token)
            trusting(node, trust)

    def serve(self):
        self.balancer = Balancer(self.nodes, PAGE)
        self.client = Peer("requests", self.balancer.address, PAGE, THREADS)
        self.client.wait_progress()

    def push(self, release, kernel):
        told = self.hub.push(*self.hub.packages(kernel), "--name", release, "--key", "owner", limit=PUSH_LIMIT)
        expect(all(node["state"] == "done" for node in told.values()), f"the push ended as {told}\n{self.hub.evidence()}")

    def roll_out(self, release, *words):
        began = time.monotonic()
        told = self.hub.roll_out(release, "--soak", "0", *words, limit=ROLLOUT_LIMIT)
        self.seconds[release] = round(time.monotonic() - began, 1)
        return told

    def ended(self, told):
        """All is done."""
        states = {node["node"]: node["state"] for node in told["nodes"]}
        expect(told["state"] == "done" and set(states.values()) == {"done"},
               f"the rollout ended as {told}\n{self.hub.evidence()}")

    def runs(self, node, kernel, state):
        """Begin, end and jump of its swap, in us."""
        node.guest.wait_ssh(BOOT_LIMIT)
        expect(node.guest.kernel() == kernel, f"{node.guest.name} runs {node.guest.kernel()}")
        steps = reported(node, self.hub, kernel, state)["report"]["swap"]["steps"]
        jump = next(step["at_us"] for step in steps if step["step"] == "jump")
        return steps[0]["at_us"], steps[-1]["at_us"], jump

    def kept(self):
        for web in self.webs:
            web.check()

    def no_failure(self):
        self.client.wait_progress()
        expect_peer(self.client.state(), failed=0)

    def end(self):
        for one in (self.client, self.balancer, self.hub):
            if one:
                one.end()
        for node in self.nodes[1:]:
            node.guest.down()


def panicked(farm, old):
    """Whoever swaps panics in the new kernel: the rollout stops after one node, and says so."""
    for node in farm.nodes:
        node.write(FAULT, "restore-units panic\n")
    told = farm.roll_out(BAD, "--canary", "1", "--max-unavailable", "1")
    states = [node["state"] for node in told["nodes"]]
    expect(told["state"] not in ("done", "running"), f"the rollout ended as {told}")
    touched = [node["node"] for node in told["nodes"] if node["state"] in ("failed", "returned", "lost")]
    expect(len(touched) == 1, f"the nodes are {states}: {told}\n{farm.hub.evidence()}")
    canary = next(node for node in farm.nodes if node.guest.name == touched[0])
    canary.wait("the canary to be back", lambda: canary.guest.shell.reconnect() and canary.guest.kernel() == old, BACK_LIMIT)
    canary.wait("the end of its swap", lambda: not canary.segue_json("status")["swapping"], BACK_LIMIT)
    why = farm.hub.run("why", canary.guest.name).stdout
    stopped = farm.hub.run("why", told["id"]).stdout
    expect("failed" in why or "went back" in why, f"segue why {canary.guest.name} says: {why}")
    expect(canary.guest.name in stopped or "failed" in stopped, f"segue why {told['id']} says: {stopped}")
    for node in farm.nodes:
        node.exec("rm", "-f", FAULT)
        expect(node.guest.kernel() == old, f"{node.guest.name} runs {node.guest.kernel()}")
    farm.kept()


def one_by_one(farm, new):
    told = farm.roll_out(GOOD, "--canary", "1", "--max-unavailable", "1", *farm.balancer.hooks,
                         "--gate", f'curl -fsS -m 5 "http://$ADDRESS{PAGE}"')
    farm.ended(told)
    spans = sorted(farm.runs(node, new, "done") for node in farm.nodes)
    expect(all(a[1] <= b[0] for a, b in zip(spans, spans[1:])), f"some swapped at the same time: {spans}")


def all_at_once(farm, old):
    told = farm.roll_out(BACK, "--all-at-once")
    farm.ended(told)
    jumps = [farm.runs(node, old, "done")[2] for node in farm.nodes]
    farm.seconds["apart"] = round((max(jumps) - min(jumps)) / 1e6, 2)


@scenario(limit=4800, group="rollouts")
def rollouts(case):
    farm = Farm(case)
    old, new = case.node.guest.kernel(), case.node.kernel("7.")
    try:
        with case.point("start", needed=True):
            farm.boot()
        with case.point("join", needed=True):
            farm.join()
        with case.point("serve", needed=True):
            farm.serve()
        # One after the other: a node takes no release that is older than one that it has seen.
        with case.point("push", needed=True):
            farm.push(BAD, new)
        with case.point("panic"):
            panicked(farm, old)
        with case.point("no request failed with it"):
            farm.no_failure()
        with case.point("one by one", needed=True):
            farm.push(GOOD, new)
            one_by_one(farm, new)
        with case.point("no request failed"):
            farm.no_failure()
        with case.point("kept"):
            farm.kept()
        with case.point("all at once"):
            farm.push(BACK, old)
            all_at_once(farm, old)
        with case.point("kept by all"):
            farm.kept()
        (OUT / "rollouts.json").write_text(json.dumps(farm.seconds) + "\n", encoding="utf-8")
    finally:
        farm.end()
