# SPDX-License-Identifier: Apache-2.0
"""A boot comes in between, and starts units: the captures of a swap that was cut short are of the past then."""

from kept.programs import Hold
from node import STATE
from suite import expect, scenario

FAULT = "/etc/segue/fault"
MARK = r"segue: fault jump power-cut"
OFF = f"{STATE}/segue-is-off"
DROP_IN = f"[Unit]\nConditionPathExists=!{OFF}\n"
SWAP_LIMIT = 240
BOOT_LIMIT = 300


def cut_off(node):
    """A swap, and the power is cut when the captures are whole; segue keeps out of the boot after it."""
    node.write(FAULT, "jump power-cut\n")
    process = node.start("segue", "swap", "--no-trial")
    try:
        node.guest.wait_console(MARK, SWAP_LIMIT)
    finally:
        process.kill()
        process.communicate()
    node.guest.cut_power()
    node.guest.wait_ssh(BOOT_LIMIT)
    node.wait("the unit to be started", lambda: node.output("systemctl is-active hold", check=False) == "active",
              BOOT_LIMIT)


@scenario(limit=1500, name="boot-between", group="faults")
def boot_between(case):
    node = case.node
    hold = Hold(node, "hold", 16)
    with case.point("start", needed=True):
        node.configure("[segue]\nStore=disk\n")
        for unit in ("segued", "segue-boot"):
            node.put(f"/etc/systemd/system/{unit}.service.d/off.conf", DROP_IN)
        hold.install()
        node.install()
        hold.start()
        node.exec(f"systemctl enable hold && touch {OFF}")
    with case.point("a boot without segue", needed=True):
        cut_off(node)
        expect("armed" in node.output("head -n 1 /var/lib/segue/swap/pending"), "no restore is pending")
    with case.point("refused"):
        node.exec(f"rm {OFF} {FAULT} && sync")
        node.guest.cut_power()
        node.guest.wait_ssh(BOOT_LIMIT)
        status = node.swap_end()
        expect(status["state"] == "failed", f"the swap ended {status['state']}")
        expect("Another boot has come in between" in status["error"], f"it does not say why: {status['error']}")
        told = {unit["unit"]: unit["outcome"] for unit in status["units"]}
        expect(told == {"hold.service": "cold"}, f"the report has the units as {told}")
        expect(node.output("systemctl is-active hold") == "active", "the unit was not started afresh")
