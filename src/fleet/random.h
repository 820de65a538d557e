/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers for simulations: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
 * number generators", OOPSLA 2014).  The same seed gives the same numbers on every machine and in
 * every version, so that a seed in a report can be replayed.  Not for keys.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct Random {
	uint64_t state; /* any value is a good seed */
} Random;

uint64_t random_next(Random *random);

/* From `low` to `high`, both included. */
int64_t random_between(Random *random, int64_t low, int64_t high);

/* True in `permille` of 1000 calls. */
bool random_chance(Random *random, unsigned permille);

/* Around `middle`, at least a quarter of it, with a long tail: one in twenty takes up to 4 times as
 * long.  For durations. */
int64_t random_duration(Random *random, int64_t middle);

/* A generator of its own for one purpose, so that drawing more for one does not change another. */
Random random_split(Random *random);
