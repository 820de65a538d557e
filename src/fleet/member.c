/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/member.h"

#include <string.h>

static bool is_stopping(const Rollout *rollout)
{
	return rollout->state == ROLLOUT_STOPPING;
}

static bool runs_release(const Turn *turn, const FleetNode *node)
{
	return !strcmp(node->release, turn->rollout->policy.release);
}

static void member_ask(Turn *turn, int node)
{
	Member *member = &turn->rollout->members[node];
	Actions *actions = turn->actions;

	member->number = ++turn->fleet->number;
	member->result = OUTCOME_NONE;
	member->asked_us = turn->fleet->clock_us;
	/* There is room: at most one a member and step. */
	actions->list[actions->n++] = (Action){
		.number = member->number,
		.kind = node_states[member->state].action,
		.node = node,
		.rollout = turn->index,
		.reboot = member->reboot,
		.at_us = member->state == NODE_SWAPPING ? turn->rollout->jump_us : 0,
	};
}

static NodeState member_next(const Turn *turn, const Member *member, NodeState state)
{
	if (state == NODE_RESTORING && member->back)
		return member->outcome;
	return node_states[state].next;
}

/* Whether there is nothing to do in a state. */
static bool is_passed(const Turn *turn, const Member *member, NodeState state)
{
	const Policy *policy = &turn->rollout->policy;

	switch (state) {
	case NODE_GATING:
		return !policy->gate_before || member->back;
	case NODE_DRAINING:
		return !policy->drain || member->drained;
	case NODE_RESTORING:
		return !member->drained;
	case NODE_SOAKING:
		return policy->times_us[TIME_SOAK] == 0;
	default:
		return false;
	}
}

void member_enter(Turn *turn, int node, NodeState state)
{
	Member *member = &turn->rollout->members[node];

	while (is_passed(turn, member, state))
		state = member_next(turn, member, state);
	member->state = state;
	member->number = 0;
	member->result = OUTCOME_NONE;
	member->attempts = state == NODE_STAGED || state == NODE_GATING ? member->attempts : 0;
	member->since_us = turn->fleet->clock_us;
	member->after_us = turn->fleet->clock_us;
	turn->rollout->moved_us = turn->fleet->clock_us;
	member->staged |= state == NODE_STAGING || state == NODE_SWAPPING;
	member->drained |= state == NODE_DRAINING;
	/* Why it failed once stays known while it is put in order. */
	if (state == NODE_DONE || (node_states[state].held && !member->failed))
		member->why = reason_make(REASON_NONE);
	/* The gate after is asked once the node says that it is healthy. */
	if (node_states[state].action != ACTION_NONE && state != NODE_VERIFYING)
		member_ask(turn, node);
}

static bool is_failure(NodeState outcome)
{
	return outcome == NODE_FAILED || outcome == NODE_RETURNED || outcome == NODE_LOST;
}

void member_leave(Turn *turn, int node, NodeState outcome, const Reason *why)
{
	Member *member = &turn->rollout->members[node];
	Reason kept = why ? *why : member->why;

	member->outcome = outcome;
	member->failed |= is_failure(outcome);
	if (member->drained)
		member_enter(turn, node, NODE_PUTTING_BACK);
	else if (member->staged)
		member_enter(turn, node, NODE_UNSTAGING);
	else
		member_enter(turn, node, outcome);
	member->why = kept;
	member->why.node = node;
}

/* As it is, where it is: nothing more is asked of it. */
static void member_drop(Turn *turn, int node, NodeState state, Reason why)
{
	Member *member = &turn->rollout->members[node];

	member->failed |= is_failure(state);
	member->outcome = state;
	member_enter(turn, node, state);
	member->why = why;
	member->why.node = node;
}

static Reason action_reason(const Member *member, ReasonCode code)
{
	Reason why = reason_make(code);

	why.action = node_states[member->state].action;
	return why;
}

/* Asks again a little later; false if it was asked often enough. */
static bool member_retry(Turn *turn, Member *member)
{
	if (++member->attempts >= turn->rollout->policy.gate_attempts)
		return false;
	member->number = 0;
	member->result = OUTCOME_NONE;
	member->after_us = turn->fleet->clock_us + turn->rollout->policy.times_us[TIME_RETRY];
	return true;
}

/* ---- how actions end ---- */

static void ended_well(Turn *turn, int node)
{
	Member *member = &turn->rollout->members[node];

	switch (member->state) {
	case NODE_SWAPPING:
		member->changed = true;
		member->staged = false;
		break;
	case NODE_RETURNING:
		member->changed = false;
		break;
	case NODE_RESTORING:
		member->drained = false;
		break;
	case NODE_PUTTING_BACK:
		member->drained = false;
		member_leave(turn, node, member->outcome, NULL);
		return;
	case NODE_UNSTAGING:
		member->staged = false;
		member_leave(turn, node, member->outcome, NULL);
		return;
	default:
		break;
	}
	/* What is out of service when the rollout stops goes back into it unchanged. */
	if (member->state == NODE_DRAINING && !member->back && is_stopping(turn->rollout))
		member_call_off(turn, node);
	else
		member_enter(turn, node, member_next(turn, member, member->state));
}

static void gate_failed(Turn *turn, int node, const Reason *why)
{
	Member *member = &turn->rollout->members[node];
	int64_t after;

	member->wave = 0;
	if (turn->rollout->policy.all_at_once || !member_retry(turn, member)) {
		member_leave(turn, node, NODE_REFUSED, why);
		return;
	}
	after = member->after_us;
	member_enter(turn, node, NODE_STAGED);
	member->after_us = after;
	member->why = *why;
}

static void stage_failed(Turn *turn, int node, Outcome outcome, const Reason *why)
{
	Member *member = &turn->rollout->members[node];

	if (outcome == OUTCOME_NOT_CARRIED && turn->rollout->policy.mode == MODE_AUTO &&
	    !member->reboot) {
		member->reboot = true;
		member_enter(turn, node, NODE_STAGING);
		return;
	}
	member_leave(turn, node, NODE_REFUSED, why);
}

static void swap_failed(Turn *turn, int node, Outcome outcome, const Reason *why)
{
	Member *member = &turn->rollout->members[node];
	FleetNode *fleet_node = &turn->fleet->nodes[node];
	Reason back = reason_make(REASON_WENT_BACK);

	/* What it said before the jump is not about now. */
	if (outcome != OUTCOME_NONE)
		fleet_node->healthy = false;

	if (outcome == OUTCOME_RETURNED) {
		member->staged = false;
		member_leave(turn, node, NODE_RETURNED, &back);
	} else if (outcome == OUTCOME_NONE && fleet_node->silent) {
		member_drop(turn, node, NODE_LOST, *why);
	} else if (outcome == OUTCOME_NONE && runs_release(turn, fleet_node)) {
		ended_well(turn, node); /* it said so in another way */
	} else {
		member_leave(turn, node, NODE_FAILED, why);
	}
}

/* A node that is not healthy stays out of service. */
static void verify_failed(Turn *turn, int node)
{
	Member *member = &turn->rollout->members[node];
	Reason why = reason_make(REASON_NOT_HEALTHY_AFTER);

	why.limit = turn->rollout->policy.times_us[TIME_VERIFY] / SECOND_US;
	if (member->back || !turn->rollout->policy.return_failed) {
		/* It counts as out of service until another rollout has put it in order. */
		member->drained = true;
		member_drop(turn, node, NODE_FAILED, why);
		return;
	}
	member->back = true;
	member->failed = true;
	member->outcome = NODE_RETURNED;
	member_enter(turn, node, NODE_DRAINING);
	member->why = why;
	member->why.node = node;
}

/* Also for an action that got no answer in time: OUTCOME_NONE. */
static void ended_badly(Turn *turn, int node, Outcome outcome)
{
	Member *member = &turn->rollout->members[node];
	Reason why = action_reason(member, outcome == OUTCOME_NONE ? REASON_NO_ANSWER
								   : REASON_ACTION_FAILED);

	why.limit = turn->rollout->policy.times_us[node_states[member->state].limit] / SECOND_US;
	switch (member->state) {
	case NODE_STAGING:
		stage_failed(turn, node, outcome, &why);
		break;
	case NODE_GATING:
		gate_failed(turn, node, &why);
		break;
	case NODE_SWAPPING:
		swap_failed(turn, node, outcome, &why);
		break;
	case NODE_RETURNING:
		turn->fleet->nodes[node].healthy = false;
		member_drop(turn, node, turn->fleet->nodes[node].silent ? NODE_LOST : NODE_FAILED,
			    why);
		break;
	case NODE_VERIFYING:
		member->number = 0;
		member->after_us =
			turn->fleet->clock_us + turn->rollout->policy.times_us[TIME_RETRY];
		break;
	case NODE_RESTORING:
	case NODE_PUTTING_BACK:
		if (!member_retry(turn, member))
			member_drop(turn, node, NODE_FAILED, why);
		break;
	case NODE_UNSTAGING:
		/* The next release that is staged takes its place. */
		ended_well(turn, node);
		break;
	default:
		member_leave(turn, node, node_states[member->state].outcome, &why);
		break;
	}
}

/* ---- what time brings ---- */

static void verify_watch(Turn *turn, int node)
{
	Member *member = &turn->rollout->members[node];
	const FleetNode *fleet_node = &turn->fleet->nodes[node];
	const Policy *policy = &turn->rollout->policy;
	int64_t now = turn->fleet->clock_us;
	/* What it said before the jump is not about this kernel. */
	bool good = fleet_node->healthy && fleet_node->seen_us >= member->since_us &&
		    now > member->since_us && runs_release(turn, fleet_node) == !member->back;

	if (good && !policy->gate_after)
		ended_well(turn, node);
	else if (now - member->since_us > policy->times_us[TIME_VERIFY])
		verify_failed(turn, node);
	else if (good && !member->number && now >= member->after_us)
		member_ask(turn, node);
}

static void soak_watch(Turn *turn, int node)
{
	Member *member = &turn->rollout->members[node];
	const FleetNode *fleet_node = &turn->fleet->nodes[node];
	const Policy *policy = &turn->rollout->policy;
	int64_t now = turn->fleet->clock_us;

	/* after_us: until when it was healthy without a break, since_us: the soak's begin. */
	if (fleet_node->healthy)
		member->after_us = now;
	else
		member->since_us = now;
	if (now - member->after_us > policy->times_us[TIME_VERIFY])
		verify_failed(turn, node);
	else if (now - member->since_us >= policy->times_us[TIME_SOAK])
		member_enter(turn, node, NODE_DONE);
}

/* One that was lost and is heard of again. */
static void lost_watch(Turn *turn, int node)
{
	Member *member = &turn->rollout->members[node];
	const FleetNode *fleet_node = &turn->fleet->nodes[node];

	if (fleet_node->removed || fleet_node->blocked || fleet_node->silent ||
	    fleet_node->seen_us < member->since_us || turn->fleet->clock_us <= member->since_us)
		return;
	member->changed = runs_release(turn, fleet_node);
	if (member->changed) {
		member->back = false;
		member->staged = false;
		member_enter(turn, node, NODE_VERIFYING);
		return;
	}
	member_leave(turn, node, NODE_RETURNED, NULL);
}

/* Removed or blocked: what it has in hand is taken from it.  True if there was something. */
static bool gone_watch(Turn *turn, int node)
{
	Member *member = &turn->rollout->members[node];
	const FleetNode *fleet_node = &turn->fleet->nodes[node];
	const NodeStateInfo *state = &node_states[member->state];
	Reason why = reason_make(fleet_node->removed ? REASON_REMOVED : REASON_BLOCKED);

	if (!fleet_node->removed && !fleet_node->blocked)
		return false;
	if (state->changing && member->state != NODE_GATING)
		member_drop(turn, node, NODE_LOST, why);
	else if (state->held || (member->state == NODE_WAITING && fleet_node->removed))
		member_drop(turn, node, NODE_SKIPPED, why);
	else if (member->state == NODE_SOAKING && fleet_node->removed)
		member_drop(turn, node, NODE_DONE, why);
	else
		return false;
	return true;
}

void member_watch(Turn *turn, int node)
{
	Member *member = &turn->rollout->members[node];
	const FleetNode *fleet_node = &turn->fleet->nodes[node];
	const NodeStateInfo *state = &node_states[member->state];
	int64_t now = turn->fleet->clock_us;

	if (member->state == NODE_LOST) {
		lost_watch(turn, node);
		return;
	}
	if (state->settled || gone_watch(turn, node))
		return;
	if (member->state == NODE_GATING && fleet_node->silent) {
		/* Nothing has been done to it yet. */
		member->wave = 0;
		member_enter(turn, node, NODE_STAGED);
	} else if (state->leased && fleet_node->silent) {
		Reason why = reason_make(REASON_SILENT);

		why.have = (now - fleet_node->seen_us) / SECOND_US;
		member_drop(turn, node, NODE_LOST, why);
	} else if (member->number && member->result == OUTCOME_OK) {
		ended_well(turn, node);
	} else if (member->number && member->result != OUTCOME_NONE) {
		ended_badly(turn, node, member->result);
	} else if (member->number &&
		   now - member->asked_us > turn->rollout->policy.times_us[state->limit]) {
		ended_badly(turn, node, OUTCOME_NONE);
	} else if (member->state == NODE_VERIFYING) {
		verify_watch(turn, node);
	} else if (member->state == NODE_SOAKING) {
		soak_watch(turn, node);
	} else if (state->action != ACTION_NONE && !member->number && now >= member->after_us) {
		member_ask(turn, node);
	}
}

void member_go(Turn *turn, int node)
{
	const Rollout *rollout = turn->rollout;
	const Member *member = &rollout->members[node];

	if (member->state != NODE_READY)
		return;
	if (member->back)
		member_enter(turn, node, NODE_RETURNING);
	else if (!rollout->policy.all_at_once &&
		 (rollout->state == ROLLOUT_RUNNING || rollout->state == ROLLOUT_PAUSED))
		member_enter(turn, node, NODE_SWAPPING);
}

void member_call_off(Turn *turn, int node)
{
	Reason why = reason_make(REASON_ENDED);
	Member *member = &turn->rollout->members[node];

	why.rollout = turn->index;
	switch (member->state) {
	case NODE_DRAINING:
		if (member->number && member->result == OUTCOME_NONE)
			return; /* its end is waited for: half out of service is neither */
				/* fall through */
	case NODE_WAITING:
	case NODE_STAGING:
	case NODE_STAGED:
	case NODE_GATING:
	case NODE_READY:
		if (!member->back)
			member_leave(turn, node, NODE_SKIPPED, &why);
		break;
	default:
		break;
	}
}
