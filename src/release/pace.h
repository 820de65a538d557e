/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether who sends is too slow to wait for.  A sender that trickles, or that was fast and then
 * stops, is found out at the end of one window; a pause before the first byte counts too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct PaceLimit {
	int64_t window_us;        /* more than 0 */
	int64_t bytes_per_window; /* fewer are too slow */
} PaceLimit;

typedef struct Pace {
	int64_t since_us; /* when the window began */
	int64_t bytes;    /* of it */
} Pace;

/* From now on something is expected.  Also where the waiting was not the sender's fault. */
void pace_begin(Pace *pace, int64_t now_us);

/* False as soon as it is too slow: leave the sender.  `bytes` came since the last call; 0 asks. */
bool pace_add(Pace *pace, const PaceLimit *limit, int64_t now_us, int64_t bytes);
