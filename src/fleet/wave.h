/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who goes next.
 *
 * A wave is a number of nodes that may be taken down before what was changed so far has been
 * watched: the canaries, then a first wave, then growing ones.  Which nodes these are is not fixed
 * beforehand: whoever may go, in the rollout's order.  So a node that something keeps from going
 * does not keep the others, and one that comes late is taken in.
 */
#pragma once

#include "fleet/member.h"

typedef struct WaveResult {
	bool wants;       /* something of it waits for a slot that others have */
	Reason not_ready; /* all at once: too few are ready, so it has to stop */
} WaveResult;

/* Of a running rollout.  `yield_to`: a more urgent one that waits for slots; -1: none. */
WaveResult wave_decide(Turn *turn, int yield_to);

/* Of one that sends back what it has changed; enters its end when that is done. */
void wave_send_back(Turn *turn);

/* How many nodes the wave under way may take. */
int wave_size(const Rollout *rollout);
