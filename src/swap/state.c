/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/state.h"

#include <string.h>

const SwapStateInfo swap_states[SWAP_STATES] = {
	[SWAP_CHECK] =
		{
			.name = "check",
			.doing = "checking that everything can be carried",
			.on_disk = "the journal; in trial/ the trial captures",
			.in_ram = "programs run, but for the moments of their trials",
			.in_kernel = "a unit's control group is frozen during its trial",
			.in_systemd = "as ever",
			.recovery = "thaw all kept units, remove the trial captures: called off",
		},
	[SWAP_STAGE] =
		{
			.name = "stage",
			.doing = "building the way to the new kernel and back",
			.on_disk = "the store is reserved; two initramfs, forward and back; with "
				   "Store=disk the pending restore, staged",
			.in_ram = "programs run",
			.in_kernel = "the ram store's region is had back from the system; the new "
				     "kernel may be loaded for kexec",
			.in_systemd = "as ever",
			.recovery = "unload the kernel, remove the initramfs, wipe the store and "
				    "lend the region again: called off",
		},
	[SWAP_WARM] =
		{
			.name = "warm",
			.doing = "copying memory in advance",
			.on_disk = "with Store=disk the store holds rounds of memory",
			.in_ram = "programs run; with Store=ram the store holds rounds of memory",
			.in_kernel = "the new kernel is loaded; writes to memory are tracked",
			.in_systemd = "as ever",
			.recovery = "as in stage: called off",
		},
	[SWAP_SETTLE] =
		{
			.name = "settle",
			.doing = "stopping units that are not kept",
			.on_disk = "the journal lists the units to be started again",
			.in_ram = "programs run",
			.in_kernel = "as in warm",
			.in_systemd = "units that are not kept are stopped, by segue-swap.target",
			.recovery = "as in warm, and start the stopped units: called off",
		},
	[SWAP_FREEZE] =
		{
			.name = "freeze",
			.doing = "freezing kept units",
			.on_disk = "the journal lists the units to be thawed",
			.in_ram = "programs stand still, one unit after the other",
			.in_kernel = "the hold is up; control groups of kept units are frozen",
			.in_systemd = "as after settle",
			.recovery = "thaw, lower the hold, run PostThaw=, start the stopped units, "
				    "wipe the store: called off",
		},
	[SWAP_CAPTURE] =
		{
			.name = "capture",
			.doing = "capturing kept units",
			.on_disk = "with Store=disk the captures, not yet whole; last, the pending "
				   "restore is armed",
			.in_ram = "programs stand still; with Store=ram the captures, not yet "
				  "whole",
			.in_kernel = "as in freeze; criu works in the programs",
			.in_systemd = "as after settle",
			.recovery = "as in freeze; criu, which has died with who started it, has "
				    "let go of the programs: called off",
		},
	[SWAP_JUMP] =
		{
			.name = "jump",
			.doing = "starting the other kernel",
			.on_disk = "with Store=disk the captures, whole and synced, and the "
				   "pending restore, armed; this state stays written until systemd "
				   "runs again",
			.in_ram = "programs stand still; with Store=ram the captures, whole",
			.in_kernel = "as in freeze; filesystems are frozen, devices are shut down",
			.in_systemd = "as after settle; gone with the jump",
			.recovery =
				"in the same boot as in freeze, after thawing filesystems; in "
				"any other, with Store=disk, segue-boot.service starts the old "
				"kernel, whose segue-init restores: returned; where it may not, "
				"and with Store=ram, the programs are started afresh, the "
				"captures are kept and the report says so: failed",
		},
	[SWAP_LAND] =
		{
			.name = "land",
			.doing = "bringing up root filesystem and network",
			.landed = true,
			.on_disk = "as in jump",
			.in_ram = "the journal, in /run; the captures if Store=ram",
			.in_kernel = "the other one runs, the hold goes up before any link",
			.in_systemd = "does not run yet",
			.recovery = "segue-init jumps back to the old kernel; before the root "
				    "filesystem is there it reboots, which is as in jump",
		},
	[SWAP_RESTORE] =
		{
			.name = "restore",
			.doing = "making the programs again",
			.landed = true,
			.on_disk = "as in jump",
			.in_ram = "as in land; programs come into being and stand still",
			.in_kernel = "the hold is up, sockets are made behind it",
			.in_systemd = "does not run yet; drop-ins for it are in /run",
			.recovery = "kill what was made of the programs, jump back to the old "
				    "kernel; after a reboot as in jump",
		},
	[SWAP_ADOPT] =
		{
			.name = "adopt",
			.doing = "handing the programs to systemd",
			.landed = true,
			.on_disk = "the captures, if Store=disk; the pending restore, ended",
			.in_ram = "programs run; part of their memory may still be arriving",
			.in_kernel = "the hold is down",
			.in_systemd = "starts; kept units become its own through the drop-ins",
			.recovery = "adopt again, which is the same as once; after a reboot as in "
				    "confirm",
		},
	[SWAP_CONFIRM] =
		{
			.name = "confirm",
			.doing = "asking the programs for their health",
			.landed = true,
			.on_disk = "as in adopt; then the boot default, and the store wiped",
			.in_ram = "programs run",
			.in_kernel = "as in adopt",
			.in_systemd = "has all kept units as active",
			.recovery = "adopt and confirm again; after a reboot the programs are "
				    "started afresh and the report says so: failed",
		},
	[SWAP_DONE] =
		{
			.name = "done",
			.doing = "done",
			.end = true,
			.landed = true,
			.on_disk = "the report; the new kernel is the boot default",
			.in_ram = "programs run",
			.in_kernel = "the new one runs",
			.in_systemd = "as ever",
			.recovery = "nothing",
		},
	[SWAP_REFUSED] =
		{
			.name = "refused",
			.doing = "refused, nothing was touched",
			.end = true,
			.on_disk = "the report",
			.in_ram = "programs run",
			.in_kernel = "as ever",
			.in_systemd = "as ever",
			.recovery = "nothing",
		},
	[SWAP_CALLED_OFF] =
		{
			.name = "called-off",
			.doing = "called off, everything goes on under the old kernel",
			.end = true,
			.on_disk = "the report",
			.in_ram = "programs run",
			.in_kernel = "as ever",
			.in_systemd = "stopped units are being started again",
			.recovery = "nothing",
		},
	[SWAP_RETURNED] =
		{
			.name = "returned",
			.doing = "returned to the old kernel with everything running",
			.end = true,
			.landed = true,
			.on_disk = "the report, with what went wrong",
			.in_ram = "programs run",
			.in_kernel = "the old one runs",
			.in_systemd = "as ever",
			.recovery = "nothing",
		},
	[SWAP_FAILED] =
		{
			.name = "failed",
			.doing = "failed",
			.end = true,
			.landed = true,
			.on_disk = "the report; the captures of programs that do not run",
			.in_ram = "programs run: those reported as carried with their memory, "
				  "the others afresh",
			.in_kernel = "the one that the report names",
			.in_systemd = "as ever",
			.recovery = "nothing",
		},
};

int swap_state_by_name(const char *name)
{
	for (int i = 0; i < SWAP_STATES; i++)
		if (strcmp(swap_states[i].name, name) == 0)
			return i;
	return -1;
}
