# SPDX-License-Identifier: Apache-2.0
"""A hub on another host sends three nodes a kernel's packages as a release, and orders one of them onto that kernel."""

from hub import Hub
from kept.servers import Redis
from node import BOOT_LIMIT, CONFIRM_LIMIT, JUMP_LIMIT, LAND_LIMIT, STATUS_FAILED, Node
from suite import expect, scenario

TOKEN_FILE = "/root/token"
STATE = "/var/lib/segue-link"
LABEL = "rack=r3"
RELEASE = "r1"
PUSH_LIMIT = 300
STAGE_LIMIT = 900       # an initramfs is made, and each unit captured for trial
ROLLOUT_LIMIT = 1500
REBOOT_LIMIT = 900
REPORT_LIMIT = 90       # the link looks at its machine every 15 s, and comes back with jitter


def refused(node, hub, token):
    """A token whose secret is another is told so, and nothing is left of it."""
    prefix, name, secret, authority = token.split(".")
    node.write(TOKEN_FILE, ".".join((prefix, name, secret[::-1], authority)))
    done = node.segue("join", hub.address, "--token-file", TOKEN_FILE, check=False)
    expect(done.returncode == STATUS_FAILED and "not known here" in done.stderr,
           f"it exited with {done.returncode}: {done.stderr}")
    node.exec("test ! -e /etc/segue/link.conf")


def joined(node, hub, token):
    """It is a node, by a process without privileges."""
    node.write(TOKEN_FILE, token)
    node.segue("join", hub.address, "--token-file", TOKEN_FILE, "--label", LABEL)
    node.wait("the link", lambda: node.segue_json("status")["link"]["state"] == "connected")
    told = node.output(f"ps -o user:32= -C segue-link; stat -c '%U %a' {STATE} {STATE}/node.key").split("\n")
    expect(told == ["segue-link", "segue-link 700", "segue-link 600"], f"process and files are {told}")
    loaded = node.output("ldd /usr/lib/segue/segue-link")
    expect("sqlite" not in loaded, f"it loads {loaded}")


def reported(node, hub, kernel, swap):
    """What the hub tells of the node, as soon as that is how it is now: its kernel, and the state of its last swap."""
    def told():
        known = hub.nodes().get(node.guest.name, {})
        report = known.get("report") or {}
        now = (known.get("state"), report.get("health"), report.get("kernel"), (report.get("swap") or {}).get("state"))
        return known if now == ("online", "ok", kernel, swap) else None
    return node.wait(f"the hub to know of {kernel}", told, REPORT_LIMIT)


def trusting(node, trust):
    node.guest.push(trust, "/etc/segue/trust")
    node.exec("chmod -R a+rX /etc/segue/trust")


def pushed(nodes, hub, kernel):
    """Debian's packages come to all nodes from the hub's relay and from each other's, as a release: signed by whom they trust
    and by nobody else."""
    first = nodes[0]
    trust = hub.owner()
    for node in nodes[1:]:
        trusting(node, trust)
    told = hub.push(*hub.packages(kernel), "--name", RELEASE, "--key", "owner", limit=PUSH_LIMIT)
    before = told.pop(first.guest.name)
    expect(before["state"] == "failed" and "trusts nobody" in before["message"], f"without trust: {before}")
    trusting(first, trust)
    told |= hub.push(RELEASE, limit=PUSH_LIMIT)
    expect(len(told) == len(nodes) and all(node["state"] == "done" for node in told.values()),
           f"the push ended as {told}\n{hub.evidence()}\n{first.evidence()}")
    for node in nodes:
        found = node.output(f"stat -c '%U' {STATE}/depot/releases/{RELEASE}/vmlinuz; ps -o user:32= -C segue-relay")
        expect(found.split() == ["segue-link"] * 2, f"file and process of {node.guest.name} are of {found}")
        node.exec(f"cmp {STATE}/depot/releases/{RELEASE}/vmlinuz /boot/vmlinuz-{kernel}")


def staged(node, hub, kernel):
    """The node, which has that kernel no more, installs it out of the release, and nothing swaps."""
    node.exec(f"rm -r /usr/lib/modules/{kernel} /boot/*-{kernel}")
    order = hub.order("stage", node.guest.name, "--release", RELEASE, limit=STAGE_LIMIT)
    expect(order["state"] == "done", f"the order ended as {order}\n{hub.evidence()}\n{node.evidence()}")
    node.exec(f"cmp {STATE}/depot/releases/{RELEASE}/vmlinuz /boot/vmlinuz-{kernel}")
    node.exec(f"test -s /boot/initrd.img-{kernel}")
    expect(node.guest.kernel() != kernel, "it runs already")
    told = node.segue_json("install", RELEASE)
    expect(told == {"release": RELEASE, "kernel": kernel, "was_there": True}, f"segue install tells {told}")
    done = node.segue("install", "none", check=False)
    expect(done.returncode == STATUS_FAILED and "segue push none" in done.stderr, f"of no release: {done}")


def watched(node, hub, kernel):
    """Without a hub: what comes into a directory is taken from there, and installed."""
    node.exec(f"rm -r /usr/lib/modules/{kernel} /boot/*-{kernel}")
    node.exec("mkdir /srv/segue")
    node.guest.push(hub.releases, "/srv/segue/releases")
    node.configure("[segue]\nStore=disk\nWatch=/srv/segue\nOnRelease=install\n")
    node.exec("systemctl start segue-watch")
    node.wait("the kernel", lambda: node.exec(f"test -s /usr/lib/modules/{kernel}/modules.dep.bin -a -s /boot/vmlinuz-{kernel}",
                                              check=False).returncode == 0, STAGE_LIMIT)
    node.wait("the end of it", lambda: not node.segue_json("status")["swapping"], STAGE_LIMIT)
    node.exec("systemctl stop segue-watch")
    node.exec(f"cmp /srv/segue/releases/{RELEASE}/vmlinuz /boot/vmlinuz-{kernel}")
    node.exec(f"test -d /var/lib/segue/depot/releases/{RELEASE} && rm -r /srv/segue")


def rolled_out(nodes, hub, old, new):
    """The nodes that are left follow, one after the other, on a command at the hub."""
    told = hub.roll_out(RELEASE, "--soak", "0", "--canary", "0", "--gate", 'test "$RELEASE" = ' + RELEASE, limit=ROLLOUT_LIMIT)
    states = {node["node"]: node["state"] for node in told["nodes"]}
    expect(told["state"] == "done" and list(states.values()).count("done") >= len(nodes) - 1,
           f"the rollout ended as {told}\n{hub.evidence()}")
    for node in nodes:
        node.guest.wait_ssh(BOOT_LIMIT)
        expect(node.guest.kernel() == new, f"{node.guest.name} runs {node.guest.kernel()}, after {old}")
    swaps = [reported(node, hub, new, "done")["report"]["swap"]["steps"] for node in nodes[1:]]
    (first, second) = sorted([steps[0]["at_us"], steps[-1]["at_us"]] for steps in swaps)
    expect(first[1] < second[0], f"they swapped at the same time: {first}, {second}")


def rebooted(node, hub, kernel):
    """As a machine does whose programs cannot be carried: in order, without its firmware, and nothing goes on."""
    boot = node.read("/proc/sys/kernel/random/boot_id")
    order = hub.order("swap", node.guest.name, "--kernel", kernel, "--reboot", limit=REBOOT_LIMIT)
    expect(order["state"] == "done", f"the order ended as {order}\n{hub.evidence()}")
    node.guest.wait_ssh(BOOT_LIMIT)
    expect(node.guest.kernel() == kernel, f"{node.guest.name} runs {node.guest.kernel()}")
    expect(node.read("/proc/sys/kernel/random/boot_id") != boot, "it is the same boot")
    node.wait("what is kept", lambda: node.exec("systemctl is-active redis-server", check=False).returncode == 0, BOOT_LIMIT)


def left(node, hub):
    node.segue("leave")
    expect(node.guest.name not in hub.nodes(), "the hub knows it still")
    found = node.output(f"ls -d /etc/segue/link.conf {STATE} 2>/dev/null", check=False)
    expect(not found, f"left behind: {found}")
    state = node.output("systemctl is-enabled segue-link; systemctl is-active segue-link", check=False).split()
    expect(state == ["disabled", "inactive"], f"its link is {state}")
    expect(node.segue_json("status")["link"] is None, "segue status tells of a link")


def ordered(case, hub, kept, others):
    node = case.node
    token = hub.run("hub", "token", "--uses", str(1 + len(others))).stdout.strip()
    old, new = node.guest.kernel(), node.kernel("7.")
    with case.point("wrong token"):
        refused(node, hub, token)
    with case.point("join", needed=True):
        for one in (node, *others):
            joined(one, hub, token)
    with case.point("report"):
        known = reported(node, hub, old, None)
        expect(known["labels"] == dict([LABEL.split("=")]), f"its labels are {known['labels']}")
        expect(known["report"]["kept"] == list(kept.units), f"kept are {known['report']['kept']}")
    with case.point("push"):
        pushed((node, *others), hub, new)
    with case.point("stage", needed=True):
        staged(node, hub, new)
    with case.point("watch", needed=True):
        watched(node, hub, new)
    kept.remember(node.units(*kept.units))
    kept.prepare()
    with case.point("swap", needed=True):
        order = hub.order("swap", node.guest.name, "--release", RELEASE, limit=JUMP_LIMIT + LAND_LIMIT + BOOT_LIMIT + CONFIRM_LIMIT)
        expect(order["state"] == "done", f"the order ended as {order}\n{hub.evidence()}")
    node.guest.wait_ssh(BOOT_LIMIT)
    with case.point("new kernel"):
        expect(node.guest.kernel() == new, f"the kernel is {node.guest.kernel()}")
        reported(node, hub, new, "done")
        for other in others:
            expect(other.guest.kernel() == old, f"{other.guest.name}, which had no order, runs {other.guest.kernel()}")
    with case.point(kept.name):
        kept.check_units(node.units(*kept.units))
        kept.check()
    with case.point("rollout"):
        rolled_out((node, *others), hub, old, new)
    # A reboot carries nothing: no client is to be there.
    with case.point(f"{kept.name}/end"):
        kept.end()
    with case.point("reboot"):
        rebooted(node, hub, old)
    with case.point("leave"):
        left(node, hub)


def boot_others(case):
    """Two more machines with segue from its package, and nothing kept."""
    others = [Node(f"n{case.node.number + 10 * (i + 1)}") for i in range(2)]
    for other in others:
        other.up(case.scenario)
    return others


@scenario(limit=2400)
def fleet(case):
    node, kept, others = case.node, Redis(case.node), []
    with case.point("start", needed=True):
        node.configure("[segue]\nStore=disk\n")
        kept.install()
        node.install()
        kept.start()
    with case.point("hub", needed=True):
        hub = Hub()
    try:
        with case.point("others", needed=True):
            others = boot_others(case)
        ordered(case, hub, kept, others)
    finally:
        hub.end()
        for other in others:
            other.guest.down()
