/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/state.h"

#include <string.h>

const SwapStateInfo swap_states[SWAP_STATES] = {
	[SWAP_CHECK] = {"check", "checking that everything can be carried", false, false,
			"nothing was touched: forget it"},
	[SWAP_STAGE] = {"stage", "building the way to the new kernel and back", false, false,
			"unload the kernel, forget it"},
	[SWAP_WARM] = {"warm", "preparing the place for the captures", false, false,
		       "unload the kernel, wipe the captures"},
	[SWAP_SETTLE] = {"settle", "stopping units that are not kept", false, false,
			 "start the stopped units again"},
	[SWAP_FREEZE] = {"freeze", "freezing kept units", false, false,
			 "thaw, lower the hold, start the stopped units again"},
	[SWAP_CAPTURE] = {"capture", "capturing kept units", false, false,
			  "thaw, lower the hold, start the stopped units again"},
	[SWAP_JUMP] =
		{"jump", "starting the other kernel", false, false,
		 "if this is the old kernel's cold boot, the swap failed and units start cold"},
	[SWAP_LAND] = {"land", "bringing up root filesystem and network", false, true,
		       "return to the old kernel"},
	[SWAP_RESTORE] = {"restore", "making the programs again", false, true,
			  "return to the old kernel"},
	[SWAP_ADOPT] = {"adopt", "handing the programs to systemd", false, true,
			"go on with adopting"},
	[SWAP_CONFIRM] = {"confirm", "asking the programs for their health", false, true,
			  "go on with confirming"},
	[SWAP_DONE] = {"done", "done", true, true, "nothing"},
	[SWAP_REFUSED] = {"refused", "refused, nothing was touched", true, false, "nothing"},
	[SWAP_CALLED_OFF] = {"called-off", "called off, everything goes on under the old kernel",
			     true, false, "nothing"},
	[SWAP_RETURNED] = {"returned", "returned to the old kernel with everything running", true,
			   true, "nothing"},
	[SWAP_FAILED] = {"failed", "failed", true, true, "nothing"},
};

int swap_state_by_name(const char *name)
{
	for (int i = 0; i < SWAP_STATES; i++)
		if (strcmp(swap_states[i].name, name) == 0)
			return i;
	return -1;
}
