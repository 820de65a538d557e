/* SPDX-License-Identifier: Apache-2.0 */
/* The nodes of a simulation as they truly are, whatever anybody knows of it. */
#pragma once

#include "fleet/rollout.h"
#include "fleet/scenario.h"

typedef struct WorldNode {
	bool present;   /* in the fleet */
	bool dead;      /* silent */
	bool sick;      /* by itself */
	bool sick_here; /* on this release */
	bool drained;
	bool locked;         /* a FleetLock client is restarting it */
	int release, before; /* 0: old; rollout + 1 */
	int64_t healthy_us;  /* from when on it is, after a change */
	int64_t last;        /* number of the last action that it took up */
	ActionKind doing;    /* ACTION_NONE: nothing */
	int rollout;         /* for which */
	int64_t ends_us;     /* INT64_MAX: it hangs */
	Outcome outcome;     /* that it will have, or of the last */
	bool told;           /* the outcome was taken note of */
	int swaps[SCENARIO_ROLLOUTS];
} WorldNode;

typedef struct World {
	const Scenario *scenario;
	WorldNode *nodes;
	Random random;
} World;

int world_make(const Scenario *scenario, World *ret, Error *err);
void world_release(World *world);

/* A node takes up an action: once, however often it is asked. */
void world_ask(World *world, const Action *action, int64_t now_us);

/* Lets time pass: what is due ends. */
void world_advance(World *world, int64_t now_us);

bool world_healthy(const WorldNode *node, int64_t now_us);
bool world_silent(const WorldNode *node);

/* "old", "new0", "new1" */
const char *world_release_name(int release);
