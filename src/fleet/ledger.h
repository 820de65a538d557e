/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must never happen in a simulation, checked without the engine's own counts: from what the
 * nodes truly are, and from what the engine was told and has asked.
 *
 *   limits      no node is taken down while that makes more than a limit in its group
 *   pair, apart, quorum   nor while a tie forbids it
 *   threshold   nothing begins once the failures that were told are too many
 *   canary      nothing follows the canaries before they have soaked
 *   window, pause, withdrawn   nothing begins outside of windows, while paused, of a withdrawn
 * release twice       no node is swapped twice in a rollout, and no number given twice forgotten in
 * the end every node has an end, and none is left out of service without a word progress    every
 * rollout comes to an end crash       a coordinator that crashes and goes on asks exactly what it
 * would have asked
 */
#pragma once

#include "fleet/world.h"

typedef struct LedgerNode {
	int64_t heard_us;  /* by the ledger's clock */
	bool healthy;      /* as was told */
	int64_t healed_us; /* when it was told to be healthy after it was not */
	int64_t number;    /* of the last action asked */
	ActionKind asked;  /* and not answered yet */
	int64_t asked_us;
	int begun;          /* as which one of the first rollout it was taken down; 0: not yet */
	int64_t swapped_us; /* when its swap was told to have gone well; -1: not yet */
	bool trouble;       /* something came in between */
	bool fresh;         /* jumped, and not heard of since */
	bool unproven;      /* jumped, and its gate after has not passed since */
	bool gated;         /* has the slot that it asked its gate with, and goes on */
	bool ours, unavailable; /* made anew before each step's actions */
	bool failed[SCENARIO_ROLLOUTS];
	bool rejoined; /* was removed and came back, so it may be swapped again */
} LedgerNode;

typedef struct Ledger {
	const Scenario *scenario;
	const World *world;
	const Fleet *fleet; /* only to name things, and for which rollouts are under way */
	LedgerNode *nodes;
	int64_t clock_us, now_us;
	int64_t number;
	int failures[SCENARIO_ROLLOUTS];
	bool started[SCENARIO_ROLLOUTS], paused[SCENARIO_ROLLOUTS], withdrawn;
	int begun;       /* nodes that the first rollout has taken down */
	char broken[32]; /* the invariant; "" while all is well */
	char sentence[256];
} Ledger;

int ledger_make(const Scenario *scenario, const World *world, Ledger *ret, Error *err);
void ledger_release(Ledger *ledger);

void ledger_broken(Ledger *ledger, const char *invariant, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* What the engine is told. */
void ledger_heard(Ledger *ledger, int node, bool healthy);
void ledger_result(Ledger *ledger, int node, int64_t number, Outcome outcome);

/* Before a step's actions are looked at; `now_us` is the hub's real time. */
void ledger_step(Ledger *ledger, int64_t now_us);
void ledger_action(Ledger *ledger, const Action *action);

/* Makes the counts anew, and looks at a slot that was granted. */
void ledger_count(Ledger *ledger);
void ledger_lock(Ledger *ledger, int node);

/* When everything should be over. */
void ledger_end(Ledger *ledger);
