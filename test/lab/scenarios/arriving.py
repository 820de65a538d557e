# SPDX-License-Identifier: Apache-2.0
"""What can happen while a program runs and its memory is still arriving, which is held up here."""

from kept.programs import Hold
from node import STATE, STATUS_BUSY
from suite import expect, scenario

# Memory comes on demand only, while this file says so.
FAULT = "/etc/segue/fault"

SERVER_OF = ("for pid in $(pgrep -x segue-memory); do readlink /proc/$pid/fd/4 | grep -q /tree-{tree}$ && echo $pid;"
             " done")


@scenario(limit=1200)
def arriving(case):
    node = case.node
    good, killed, orphan = [Hold(node, name, 64) for name in ("hold-good", "hold-killed", "hold-orphan")]
    kept = (good, killed, orphan)
    with case.point("start", needed=True):
        node.configure("[segue]\nStore=disk\n")
        for one in kept:
            one.install()
        node.install()
        for one in kept:
            one.start()
    with case.point("jump", needed=True):
        before = node.units(*(unit for one in kept for unit in one.units))
        for one in kept:
            one.remember(before)
        node.write(FAULT, "memory-bring\n")
        for one in kept:
            one.slow_down()
        node.jump()
    with case.point("still to come", needed=True):
        node.wait("memory to be waited for", lambda: "still to come" in (node.swap_status() or {}).get("message", ""), 240)
        for one in kept:
            one.wait_count()
    with case.point("second swap"):
        refused = node.segue("swap", check=False)
        expect(refused.returncode == STATUS_BUSY, f"it exited with {refused.returncode}: {refused.stderr}")
    with case.point("program killed"):
        node.exec("systemctl", "kill", "-s", "KILL", "hold-killed")
        node.wait("the killed program to end", lambda: state(node, "hold-killed") == "failed")
    with case.point("server killed"):
        tree = before["hold-orphan.service"]["MainPID"]
        server = node.output(SERVER_OF.format(tree=tree))
        expect(server.isdigit(), f"the server of {tree}: \"{server}\"")
        node.exec("kill", "-KILL", server)
        node.wait("its program to be killed", lambda: state(node, "hold-orphan") == "failed")
        orphan.count()                      # it saw no wrong page before
    with case.point("end"):
        node.exec("rm", FAULT)
        status = node.swap_end()
        expect(status["state"] == "failed" and "hold-orphan" in status["error"], f"it ended {status}")
        outcomes = {unit["unit"]: unit["outcome"] for unit in status["units"]}
        expect(outcomes["hold-orphan.service"] == "lost", f"outcomes: {outcomes}")
        expect(outcomes["hold-good.service"] == "carried", f"outcomes: {outcomes}")
    with case.point("good"):
        good.check_units(node.units(*good.units))
        good.check()
        good.speed_up()
        # All of it is looked at, by and by.
        first = good.count()
        node.wait("all pages to be looked at", lambda: good.count() > first + 3 * (good.mib << 8), 240)
    node.exec("rm", "-rf", f"{STATE}/hold-*", check=False)


def state(node, name):
    return node.output("systemctl", "show", "-p", "ActiveState", "--value", name)
