/* SPDX-License-Identifier: Apache-2.0 */
#include "release/pace.h"

void pace_begin(Pace *pace, int64_t now_us)
{
	*pace = (Pace){.since_us = now_us};
}

bool pace_add(Pace *pace, const PaceLimit *limit, int64_t now_us, int64_t bytes)
{
	int64_t elapsed = now_us - pace->since_us;

	if (elapsed < limit->window_us) {
		pace->bytes += bytes;
		return true;
	}
	/* What comes after the end of a window is too late for it, or a sender could stay silent
	 * and make up for it in one burst for ever; whoever waits asks at the end at the latest. */
	if (pace->bytes < limit->bytes_per_window)
		return false;
	pace_begin(pace, now_us);
	pace->bytes = bytes;
	return true;
}
