/* SPDX-License-Identifier: Apache-2.0 */
/* A fleet in virtual time: the engine against a world that a seed makes up. */
#pragma once

#include <stdio.h>

#include "fleet/ledger.h"

/* Ways to spoil what the engine gets to see, so that a test can see the invariants fail. */
typedef enum Mutation {
	MUTATE_NOTHING,
	MUTATE_LIMITS, /* it does not know max_unavailable */
	MUTATE_PAIRS,  /* nor pairs */
	MUTATE_QUORUMS,
	MUTATE_APART,
	MUTATE_THRESHOLD,
	MUTATE_CANARIES,
	MUTATE_WINDOWS,
	MUTATE_HEALTH, /* all nodes are told to be well */
	MUTATE_PAUSE,  /* pauses do not reach it */
	MUTATE_WITHDRAW,
	MUTATE_STALL,    /* it is paused, and nobody knows */
	MUTATE_FORGET,   /* a node gets lost when the coordinator crashes */
	MUTATE_LOSE,     /* what it was told gets lost when it crashes */
	MUTATE_RENUMBER, /* pending actions get new numbers when it crashes */
	MUTATIONS,
} Mutation;

typedef struct SimulateOptions {
	uint64_t seed;
	int nodes;               /* 2 to 100000 */
	unsigned crash_permille; /* of steps at which the coordinator crashes and goes on */
	bool crash_always;       /* at this step, whatever the odds */
	int64_t crash_step;
	Mutation mutation;
	FILE *trace;               /* NULL: none */
	int64_t (*clock_us)(void); /* to time decisions with; NULL: not timed */
} SimulateOptions;

typedef struct SimulateResult {
	int64_t steps, actions, crashes;
	int64_t virtual_us;
	int64_t decide_max_us, decide_sum_us;
	int done, failed, skipped, ends; /* nodes by how they ended, over all rollouts */
	RolloutState state;              /* of the first rollout */
	bool started;                    /* false: it was refused */
	uint64_t digest;                 /* of all actions in order */
	char broken[32];                 /* the invariant; "" if all held */
	char sentence[256];
	int64_t broken_step;
} SimulateResult;

/* -ENOMEM, and whatever else keeps it from running; a broken invariant is a result. */
int simulate_run(const SimulateOptions *options, SimulateResult *ret, Error *err);
