/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/admit.h"

static bool refuse(Reason *ret_why, ReasonCode code, int node, bool others)
{
	*ret_why = reason_make(code);
	ret_why->node = node;
	ret_why->others = others;
	return false;
}

bool admit_node(const Fleet *fleet, int index, int rollout, AdmitFor what, Reason *ret_why)
{
	const FleetNode *node = &fleet->nodes[index];

	if (node->removed)
		return refuse(ret_why, REASON_REMOVED, index, true);
	if (node->blocked)
		return refuse(ret_why, REASON_BLOCKED, index, true);
	if (node->locked_us >= 0)
		return refuse(ret_why, REASON_LOCKED, index, node->lapsed);
	if (node->holder >= 0 && node->holder != rollout) {
		(void)refuse(ret_why, REASON_HELD, index,
			     rollout_states[fleet->rollouts[node->holder].state].ended);
		ret_why->rollout = node->holder;
		return false;
	}
	if (node->silent) {
		(void)refuse(ret_why, REASON_SILENT, index, true);
		ret_why->have = (fleet->clock_us - node->seen_us) / SECOND_US;
		return false;
	}
	if (!node->healthy && what == ADMIT_CHANGE)
		return refuse(ret_why, REASON_UNHEALTHY, index, true);
	return true;
}

static bool refuse_limit(const Group *group, int index, ReasonCode code, int have, int limit,
			 bool others, Reason *ret_why)
{
	*ret_why = reason_make(code);
	ret_why->group = index;
	ret_why->have = have;
	ret_why->limit = limit;
	ret_why->of = group->n;
	ret_why->others = others;
	return false;
}

/* The node itself is not counted: if it is down already, taking it makes no more. */
static bool group_check(const Fleet *fleet, const FleetNode *node, const Limits *limits,
			AdmitFor what, Reason *ret_why)
{
	const Group *group = &fleet->groups[node->group];
	int unavailable = group->unavailable - node->down;
	int unhealthy = group->unhealthy - (node->down && !node->changing);
	int limit = limit_of(limits->by[LIMIT_UNHEALTHY], group->n);

	if (what == ADMIT_CHANGE && unhealthy > limit)
		return refuse_limit(group, node->group, REASON_TOO_UNHEALTHY, unhealthy, limit,
				    true, ret_why);
	limit = limit_of(limits->by[LIMIT_CHANGING], group->n);
	if (group->changing >= limit)
		return refuse_limit(group, node->group, REASON_CHANGING, group->changing, limit,
				    false, ret_why);
	limit = limit_of(limits->by[LIMIT_UNAVAILABLE], group->n);
	if (unavailable >= limit)
		return refuse_limit(group, node->group, REASON_UNAVAILABLE, unavailable, limit,
				    unhealthy >= limit, ret_why);
	return true;
}

/* What one operator was promised holds whoever else takes nodes down meanwhile. */
static bool others_check(const Fleet *fleet, const FleetNode *node, const Limits *own,
			 AdmitFor what, Reason *ret_why)
{
	for (size_t i = 0; i < fleet->n_rollouts; i++) {
		const Rollout *rollout = &fleet->rollouts[i];

		if (rollout_states[rollout->state].ended || rollout->policy.all_at_once ||
		    &rollout->policy.limits == own || !rollout->counts ||
		    !rollout->counts[node->group].selected)
			continue;
		if (!group_check(fleet, node, &rollout->policy.limits, what, ret_why))
			return false;
	}
	return true;
}

bool admit_limits(const Fleet *fleet, int index, const Limits *limits, AdmitFor what,
		  Reason *ret_why)
{
	const FleetNode *node = &fleet->nodes[index];

	return group_check(fleet, node, &fleet->groups[node->group].limits, what, ret_why) &&
	       (!limits || group_check(fleet, node, limits, what, ret_why)) &&
	       others_check(fleet, node, limits, what, ret_why) &&
	       tie_check(&fleet->table, index, node->down, node->down && !node->changing, ret_why);
}

void admit_take(Fleet *fleet, int index, int rollout)
{
	FleetNode *node = &fleet->nodes[index];
	Group *group = &fleet->groups[node->group];

	node->holder = rollout;
	if (node->changing)
		return;
	node->changing = true;
	group->changing++;
	if (node->down) {
		group->unhealthy--;
		return;
	}
	node->down = true;
	group->unavailable++;
	tie_count(&fleet->table, index, false);
}
