# SPDX-License-Identifier: Apache-2.0
"""A hub on another host sends a node a kernel's packages as a release, and orders it onto that kernel."""

from hub import Hub
from kept.servers import Redis
from node import BOOT_LIMIT, CONFIRM_LIMIT, JUMP_LIMIT, LAND_LIMIT, STATUS_FAILED
from suite import expect, scenario

TOKEN_FILE = "/root/token"
STATE = "/var/lib/segue-link"
LABEL = "rack=r3"
RELEASE = "r1"
PUSH_LIMIT = 300
STAGE_LIMIT = 900       # an initramfs is made, and each unit captured for trial
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


def pushed(node, hub, kernel):
    """Debian's packages come to the node from the hub's relay through its own, as a release: signed by whom the node trusts
    and by nobody else."""
    trust = hub.owner()
    before = hub.push(node.guest.name, *hub.packages(kernel), "--name", RELEASE, "--key", "owner", limit=PUSH_LIMIT)
    expect(before["state"] == "failed" and "trusts nobody" in before["message"], f"without trust: {before}")
    node.guest.push(trust, "/etc/segue/trust")
    node.exec("chmod -R a+rX /etc/segue/trust")
    after = hub.push(node.guest.name, RELEASE, limit=PUSH_LIMIT)
    expect(after["state"] == "done", f"the push ended as {after}\n{hub.evidence()}\n{node.evidence()}")
    found = node.output(f"stat -c '%U' {STATE}/depot/releases/{RELEASE}/vmlinuz; ps -o user:32= -C segue-relay")
    expect(found.split() == ["segue-link"] * 2, f"file and process are of {found}")
    node.exec(f"cmp {STATE}/depot/releases/{RELEASE}/vmlinuz /boot/vmlinuz-{kernel}")


def staged(node, hub, kernel):
    """The node, which has that kernel no more, installs it out of the release, and nothing swaps."""
    node.exec(f"rm -r /usr/lib/modules/{kernel} /boot/*-{kernel}")
    order = hub.order("stage", node.guest.name, "--release", RELEASE, limit=STAGE_LIMIT)
    expect(order["state"] == "done", f"the order ended as {order}\n{hub.evidence()}\n{node.evidence()}")
    node.exec(f"cmp {STATE}/depot/releases/{RELEASE}/vmlinuz /boot/vmlinuz-{kernel}")
    node.exec(f"test -s /boot/initrd.img-{kernel} && grep -q vmlinuz-{kernel} /boot/grub/grub.cfg")
    expect(node.guest.kernel() != kernel, "it runs already")
    told = node.segue_json("install", RELEASE)
    expect(told == {"release": RELEASE, "kernel": kernel, "was_there": True}, f"segue install tells {told}")
    done = node.segue("install", "none", check=False)
    expect(done.returncode == STATUS_FAILED and "segue push none" in done.stderr, f"of no release: {done}")


def left(node, hub):
    node.segue("leave")
    expect(node.guest.name not in hub.nodes(), "the hub knows it still")
    found = node.output(f"ls -d /etc/segue/link.conf {STATE} 2>/dev/null", check=False)
    expect(not found, f"left behind: {found}")
    state = node.output("systemctl is-enabled segue-link; systemctl is-active segue-link", check=False).split()
    expect(state == ["disabled", "inactive"], f"its link is {state}")
    expect(node.segue_json("status")["link"] is None, "segue status tells of a link")


def ordered(case, hub, kept):
    node = case.node
    token = hub.run("hub", "token").stdout.strip()
    old, new = node.guest.kernel(), node.kernel("7.")
    with case.point("wrong token"):
        refused(node, hub, token)
    with case.point("join", needed=True):
        joined(node, hub, token)
    with case.point("report"):
        known = reported(node, hub, old, None)
        expect(known["labels"] == dict([LABEL.split("=")]), f"its labels are {known['labels']}")
        expect(known["report"]["kept"] == list(kept.units), f"kept are {known['report']['kept']}")
    with case.point("push"):
        pushed(node, hub, new)
    with case.point("stage", needed=True):
        staged(node, hub, new)
    kept.remember(node.units(*kept.units))
    kept.prepare()
    with case.point("swap", needed=True):
        order = hub.order("swap", node.guest.name, "--release", RELEASE, limit=JUMP_LIMIT + LAND_LIMIT + BOOT_LIMIT + CONFIRM_LIMIT)
        expect(order["state"] == "done", f"the order ended as {order}\n{hub.evidence()}")
    node.guest.wait_ssh(BOOT_LIMIT)
    with case.point("new kernel"):
        expect(node.guest.kernel() == new, f"the kernel is {node.guest.kernel()}")
        reported(node, hub, new, "done")
    with case.point(kept.name):
        kept.check_units(node.units(*kept.units))
        kept.check()
    with case.point("leave"):
        left(node, hub)


@scenario(limit=1800)
def fleet(case):
    node, kept = case.node, Redis(case.node)
    with case.point("start", needed=True):
        node.configure("[segue]\nStore=disk\n")
        kept.install()
        node.install()
        kept.start()
    with case.point("hub", needed=True):
        hub = Hub()
    try:
        ordered(case, hub, kept)
    finally:
        hub.end()
    with case.point(f"{kept.name}/end"):
        kept.end()
