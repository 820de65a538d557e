/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process beside this one that acts in its place if it hangs, as in a system call that never
 * returns.  What it acts on is a copy of this one's memory as it was at the start.
 */
#pragma once

#include <stdatomic.h>

#include "base/error.h"

typedef struct Watch {
	int steps;         /* end of a pipe on which each step is told */
	atomic_int *state; /* shared; NULL: there is none */
} Watch;

/* `limit_s`: that of `step`, which took longer.  Its process ends when it returns. */
typedef void WatchAct(int step, int limit_s, void *userdata);

/* Nothing is watched before the first step. */
int watch_start(Watch *watch, WatchAct *act, void *userdata, Error *err);

/* From now on `step` is watched, for as long as it may take.  Does not return if the step before
 * took too long and is acted on. */
void watch_step(const Watch *watch, int step, int limit_s);

/* Nothing is watched any more, and nothing acts: the same. */
void watch_end(Watch *watch);
