/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine of rollouts: fleet state and time in, actions out.
 *
 * The coordinator tells what happens (fleet_heard(), fleet_result(), the operator's wishes), and
 * calls fleet_step() at every event and at least once in FLEET_STEP_MAX_US.  A step decides what is
 * to be done.  It must be kept in this order, and then a crash at any point loses nothing and does
 * nothing twice:
 *
 *   1. fleet_step(); 2. save the fleet; 3. acknowledge the events; 4. pass on the actions.
 *
 * After a crash the saved fleet is loaded, events that were not acknowledged are told again, and
 * fleet_pending() gives the actions whose ends are not known yet, under their old numbers.  A node
 * does each number once and tells its outcome again when asked again; a higher number calls off a
 * lower one that has not begun.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "fleet/fleet.h"

typedef struct Action {
	int64_t number; /* rises by one from action to action, throughout the fleet's life */
	ActionKind kind;
	int node, rollout;
	bool reboot;   /* of a swap: instead of in place */
	int64_t at_us; /* real time at which to do it; 0: at once */
} Action;

typedef struct Actions {
	Action *list; /* owned */
	size_t n, room;
} Actions;

void actions_release(Actions *actions);
#define _cleanup_actions_ _cleanup_(actions_release)

/* Decides, and puts what is to be done in place of what `actions` held.  -ENOMEM, before anything
 * has changed. */
int fleet_step(Fleet *fleet, int64_t now_us, Actions *actions, Error *err);

/* All actions whose outcome is not known.  -ENOMEM. */
int fleet_pending(const Fleet *fleet, Actions *actions, Error *err);

/* The outcome of an action.  False if the action is not under way (any more): told again, or too
 * late. */
bool fleet_result(Fleet *fleet, int node, int64_t number, Outcome outcome);

/*
 * Takes over the policy.  -ECANCELED, with the reason, if it could never make progress; -EBUSY if
 * another rollout has the same nodes and this one is not more urgent; -EEXIST for an id that was
 * there; -EINVAL.
 */
int rollout_start(Fleet *fleet, const char *id, Policy *policy, int *ret, Error *err);

/* The operator's wishes.  -EINVAL in a state that does not allow it. */
int rollout_pause(Fleet *fleet, int rollout, Error *err);
int rollout_resume(Fleet *fleet, int rollout, Error *err);
/* What is under way comes to its end; with `send_back`, what was changed goes back. */
int rollout_abort(Fleet *fleet, int rollout, bool send_back, Error *err);

/* Every rollout of a release that may not be used any more stops. */
void fleet_withdraw(Fleet *fleet, const char *release);

/* Why it waits, or how it ended. */
Reason rollout_why(const Fleet *fleet, int rollout);
/* The same for a node, within the most urgent rollout that it is in. */
Reason node_why(const Fleet *fleet, int node);

/* For fleet.c: counts anew; gives everything back. */
void rollout_count(Fleet *fleet, Rollout *rollout);
void rollout_release(Rollout *rollout);
