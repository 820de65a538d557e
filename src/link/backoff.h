/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long to wait before the next try: exponential, with full jitter, so that many nodes which
 * lost a hub at once do not come back at once.  Pure: randomness comes in.
 */
#pragma once

#include <stdint.h>

typedef struct Backoff {
	int64_t first_ms; /* the longest wait after the first failure; it doubles with each other */
	int64_t most_ms;  /* up to this */
	unsigned failures;
} Backoff;

/* One more failure: the wait is spread evenly from 1 ms to the longest that it may be by now.
 * `random`: 32 bits. */
int64_t backoff_fail(Backoff *backoff, uint32_t random);

void backoff_succeed(Backoff *backoff);
