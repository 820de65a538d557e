/* SPDX-License-Identifier: Apache-2.0 */
/* The states of a swap, in order. */
#pragma once

#include <stdbool.h>

typedef enum SwapState {
	/* under the old kernel */
	SWAP_CHECK,
	SWAP_STAGE,
	SWAP_WARM,
	SWAP_SETTLE,
	SWAP_FREEZE,
	SWAP_CAPTURE,
	SWAP_JUMP,
	/* under the new one, or, after a return, under the old one again */
	SWAP_LAND,
	SWAP_RESTORE,
	SWAP_ADOPT,
	SWAP_CONFIRM,
	/* ends */
	SWAP_DONE,
	SWAP_REFUSED,
	SWAP_CALLED_OFF,
	SWAP_RETURNED,
	SWAP_FAILED,
	SWAP_STATES,
} SwapState;

/* One is entered by writing it down: what is said here may be so, and all of it is, from then until
 * the next is written down.  doc/failure.md shows it to people. */
typedef struct SwapStateInfo {
	const char *name;
	const char *doing; /* for people: "checking", or how it ended */
	bool end;
	bool landed; /* the jump is behind */
	/* What there is more, or other, than before the swap: */
	const char *on_disk, *in_ram, *in_kernel, *in_systemd;
	/* Who finds the machine in this state after a crash does: */
	const char *recovery;
} SwapStateInfo;

extern const SwapStateInfo swap_states[SWAP_STATES];

/* -1 if there is no state of this name. */
int swap_state_by_name(const char *name);
