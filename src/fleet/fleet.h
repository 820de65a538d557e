/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fleet as its coordinator knows it: nodes, groups, ties, rollouts.  Everything that decisions
 * rest on is in here, and nothing else: no clock, no file, no thread.  See rollout.h for what
 * decides, save.h for how it is kept.
 *
 * Two times run through it.  `now_us` is real time, as given to fleet_step(); only maintenance
 * windows look at it.  `clock_us` is the fleet's own time, by which everything else is measured: it
 * never goes back, and a step adds at most FLEET_STEP_MAX_US to it.  So a real-time clock that
 * jumps makes no node late, and time in which nobody was there to hear a node is not held against
 * it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "fleet/policy.h"
#include "fleet/reason.h"
#include "fleet/state.h"
#include "fleet/tie.h"
#include "fleet/window.h"

#define FLEET_STEP_MAX_US (60 * SECOND_US)

typedef struct Label {
	char *key, *value; /* owned */
} Label;

typedef struct FleetNode {
	char *name; /* owned, as all texts here */
	Label *labels;
	size_t n_labels;
	char *release; /* what it runs; "" if that is not known */
	int group;
	bool healthy;    /* as it said last */
	bool blocked;    /* the operator wants it left alone */
	bool removed;    /* from the fleet; the place is kept for those that name it by its index */
	bool foreign;    /* known only as a FleetLock client: it gives no sign of life */
	int64_t seen_us; /* fleet time of the last sign of life */
	/* A FleetLock slot: when it was taken, -1 if it has none; lapsed, if its lease ran out. */
	int64_t locked_us;
	bool lapsed;

	/* Made anew before each decision: */
	int holder; /* rollout that has it in hand, -1 */
	bool silent, down, changing;
} FleetNode;

typedef struct Group {
	char *name;
	Limits limits; /* for whoever wants to take a node down */

	/* Made anew before each decision: */
	int n, changing, unavailable, unhealthy;
} Group;

/* What a rollout knows of a node. */
typedef struct Member {
	NodeState state;
	NodeState outcome; /* where it ends once it is put back and unstaged */
	int wave;          /* that took it down, counted from 1; 0: none yet */
	int attempts;      /* of the gate before */
	int64_t number;    /* of the action that is under way; 0: none */
	Outcome result;    /* that arrived for it and is not worked in yet */
	int64_t since_us;  /* fleet time at which the state was entered */
	int64_t asked_us;  /* at which the action was asked for */
	int64_t after_us;  /* before which nothing more is asked */
	bool staged;       /* there may be something to forget */
	bool drained;      /* there may be something to put back */
	bool changed;      /* it runs the release, as far as is known */
	bool back;         /* it is under way to its old kernel */
	bool failed;       /* counted as a failure */
	bool reboot;       /* by a reboot instead of in place */
	Reason why;
} Member;

/* Counts of one group within a rollout, made anew before each decision. */
typedef struct GroupCount {
	int changed, unhealthy_after;
	bool selected;
} GroupCount;

typedef struct Rollout {
	char *id;
	Policy policy;
	RolloutState state;
	RolloutState end; /* of a rollout that stops: how it will have ended */
	Reason why;       /* of the state, or what a running one waits for */
	bool frozen;      /* that it was paused is the engine's doing */
	int wave;         /* counted from 1; the first are the canaries, if there are any */
	int64_t moved_us; /* fleet time of the last progress */
	int64_t jump_us;  /* real time of the jump of all at once; 0: not yet */
	Member *members;  /* by node */
	size_t n_members;

	int *order; /* nodes in the order in which they are taken */
	size_t n_order;
	GroupCount *counts; /* by group */
	Window *windows;
	/* Made anew before each decision: */
	int total, failed, begun, unsettled, held;
} Rollout;

struct Fleet {
	FleetNode *nodes;
	size_t n_nodes;
	Group *groups;
	size_t n_groups;
	Rollout *rollouts;
	size_t n_rollouts;
	Ties ties;
	int64_t lock_lease_us; /* how long a FleetLock slot may be held */
	int64_t now_us;        /* INT64_MIN before the first step */
	int64_t clock_us;
	int64_t number; /* of the last action */

	/* Look-up, made anew when nodes, groups, ties or rollouts have changed: */
	bool outdated;
	bool regrouped; /* that was done since the last step */
	bool loaded;    /* it is to be made, and nothing has changed but that this was loaded */
	TieTable table;
	int *by_name; /* hash table of 2^bits places; -1: empty */
	unsigned bits;
};

int fleet_new(Fleet **ret, Error *err);
void fleet_free(Fleet *fleet);

static inline void cleanup_fleet(Fleet **fleet)
{
	fleet_free(*fleet);
}
#define _cleanup_fleet_ _cleanup_(cleanup_fleet)

/* Index, or -1. */
int fleet_node_find(const Fleet *fleet, const char *name);
int fleet_group_find(const Fleet *fleet, const char *name);
int fleet_rollout_find(const Fleet *fleet, const char *id);

/* Adds a group, if it is new, and sets its limits unless `limits` is NULL. */
int fleet_group_put(Fleet *fleet, const char *name, const Limits *limits, int *ret, Error *err);

/* Adds a node, or moves one to another group, or brings a removed one back.  A new node counts as
 * healthy and just heard of. */
int fleet_node_put(Fleet *fleet, const char *name, const char *group, int *ret, Error *err);
int fleet_node_label(Fleet *fleet, int node, const char *key, const char *value, Error *err);
void fleet_node_remove(Fleet *fleet, int node);
void fleet_node_block(Fleet *fleet, int node, bool blocked);

/* NULL if it has none. */
const char *node_label(const FleetNode *node, const char *key);

/* What it runs, by another name: no sign of life.  -ENOMEM. */
int fleet_node_runs(Fleet *fleet, int node, const char *release, Error *err);

/* A sign of life: how the node is, and which release it runs (NULL: as before).  -ENOMEM. */
int fleet_heard(Fleet *fleet, int node, bool healthy, const char *release, Error *err);

/* Nodes, groups, ties or rollouts are others than they were. */
void fleet_change(Fleet *fleet);

/* Look-up, the order of nodes, ties: made anew if something has changed.  -ENOMEM, and then the
 * fleet is as before. */
int fleet_refresh(Fleet *fleet, Error *err);

/* Who is down, who has whom in hand, and how many that makes: anew. */
void fleet_count(Fleet *fleet);
