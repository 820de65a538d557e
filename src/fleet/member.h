/* SPDX-License-Identifier: Apache-2.0 */
/* One node's way through a rollout: what it is asked, what follows from each outcome, from silence
 * and from time running out. */
#pragma once

#include "fleet/fleet.h"
#include "fleet/rollout.h"

/* What a step works on. */
typedef struct Turn {
	Fleet *fleet;
	Rollout *rollout;
	int index; /* of the rollout */
	Actions *actions;
} Turn;

/* Enters a state and asks for its action; states whose action the policy does not have are passed
 * through. */
void member_enter(Turn *turn, int node, NodeState state);

/* Makes for the state that it shall end in: puts it back into service and unstages first. */
void member_leave(Turn *turn, int node, NodeState outcome, const Reason *why);

/* Works in what has happened to it since the last step. */
void member_watch(Turn *turn, int node);

/* Lets one that is ready jump, now that everything that has happened is known; all at once do so on
 * their own command. */
void member_go(Turn *turn, int node);

/* Of a rollout that stops: what has not jumped yet is called off. */
void member_call_off(Turn *turn, int node);
