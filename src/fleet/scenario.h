/* SPDX-License-Identifier: Apache-2.0 */
/* What a simulation is about: a fleet, rollouts, and what happens to them; all of it from a seed.
 */
#pragma once

#include <json-c/json.h>

#include "fleet/policy.h"
#include "fleet/random.h"
#include "fleet/window.h"

/* Something that the operator, a foreign client or the world does at some time. */
typedef enum EventKind {
	EVENT_PAUSE,
	EVENT_RESUME,
	EVENT_ABORT,
	EVENT_WITHDRAW,
	EVENT_START, /* of the second rollout */
	EVENT_BLOCK,
	EVENT_UNBLOCK,
	EVENT_REMOVE,
	EVENT_ADD, /* a new node, or one that was removed */
	EVENT_LOCK,
	EVENT_UNLOCK,
	EVENT_DIE,
	EVENT_REVIVE,
	EVENT_SICKEN,
	EVENT_HEAL,
	EVENT_CLOCK,  /* the hub's real-time clock jumps */
	EVENT_OUTAGE, /* the hub is away for a while */
	EVENTS,
} EventKind;

extern const char *const event_names[EVENTS];

typedef struct Event {
	int64_t at_us;
	EventKind kind;
	int node;       /* or rollout */
	int64_t amount; /* of the clock's jump, of the outage; whether an abort sends back */
} Event;

/* Odds are in 1000. */
typedef struct Odds {
	unsigned stage_refused, not_carried, gate_fails, hook_fails;
	unsigned swap_fails, swap_returns, swap_hangs, swap_kills;
	unsigned unhealthy_after, slow_health, told_twice;
} Odds;

enum { SCENARIO_ROLLOUTS = 2 };

typedef struct Scenario {
	uint64_t seed;
	int n_nodes; /* those that come later included; their group and labels follow from them */
	int n_first; /* there from the beginning */
	int n_groups, rack_size;
	json_object *fleet; /* as fleet_load() takes it */
	Policy policies[SCENARIO_ROLLOUTS];
	bool has_second;
	Event *events; /* by time */
	size_t n_events;
	Odds odds;
	int64_t swap_us, health_us, hook_us; /* usual durations */
	int64_t begin_us;                    /* real time of the first step */
	Random world;                        /* to draw from while it runs */
} Scenario;

/* "node17" is in this group and rack. */
int scenario_group(const Scenario *scenario, int node);
void scenario_node_name(int node, char *buffer, size_t size);

int scenario_make(uint64_t seed, int n_nodes, Scenario *ret, Error *err);
void scenario_release(Scenario *scenario);
#define _cleanup_scenario_ _cleanup_(scenario_release)

/* A fleet of `n` nodes in the layout of the scenario, without rollouts. */
json_object *scenario_fleet(const Scenario *scenario, int n);
