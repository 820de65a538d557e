/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/lock.h"

#include <errno.h>

#include "fleet/admit.h"

static const Limits one_at_a_time = {.by = {[LIMIT_CHANGING] = {LIMIT_COUNT, 1}}};

static bool is_limited(const Limits *limits)
{
	return limits->by[LIMIT_CHANGING].unit != LIMIT_NONE ||
	       limits->by[LIMIT_UNAVAILABLE].unit != LIMIT_NONE;
}

static bool lock_admit(const Fleet *fleet, int node, Reason *ret_why)
{
	int group = fleet->nodes[node].group;
	bool limited = is_limited(&fleet->groups[group].limits);

	if (!admit_node(fleet, node, -1, ADMIT_BACK, ret_why))
		return false;
	for (size_t i = 0; i < fleet->n_rollouts; i++) {
		const Rollout *rollout = &fleet->rollouts[i];

		if (rollout_states[rollout->state].ended || !rollout->counts[group].selected)
			continue;
		limited |= is_limited(&rollout->policy.limits);
		if (!admit_limits(fleet, node, &rollout->policy.limits, ADMIT_CHANGE, ret_why))
			return false;
	}
	return admit_limits(fleet, node, limited ? NULL : &one_at_a_time, ADMIT_CHANGE, ret_why);
}

int lock_take(Fleet *fleet, const char *group, const char *id, Reason *ret_why, Error *err)
{
	int index = fleet_node_find(fleet, id), r = 0;

	*ret_why = reason_make(REASON_NONE);
	if (index < 0 || fleet->nodes[index].removed) {
		r = fleet_node_put(fleet, id, group, &index, err);
		if (r < 0)
			return r;
		fleet->nodes[index].foreign = true;
	}
	r = fleet_refresh(fleet, err);
	if (r < 0)
		return r;
	if (fleet->nodes[index].locked_us >= 0 && !fleet->nodes[index].lapsed) {
		fleet->nodes[index].locked_us = fleet->clock_us;
		return 0;
	}
	lock_give(fleet, id); /* one that has lapsed: whoever asks is alive */
	fleet_count(fleet);
	if (!lock_admit(fleet, index, ret_why))
		return error_set(err, -EBUSY, "%s", reason_sentence(fleet, ret_why).text);
	fleet->nodes[index].locked_us = fleet->clock_us;
	return 0;
}

void lock_give(Fleet *fleet, const char *id)
{
	int index = fleet_node_find(fleet, id);

	if (index < 0)
		return;
	fleet->nodes[index].locked_us = -1;
	fleet->nodes[index].lapsed = false;
}

void lock_watch(Fleet *fleet)
{
	for (size_t i = 0; i < fleet->n_nodes; i++) {
		FleetNode *node = &fleet->nodes[i];

		if (node->locked_us < 0)
			continue;
		if (!node->lapsed && fleet->clock_us - node->locked_us > fleet->lock_lease_us) {
			node->lapsed = true;
			node->locked_us = fleet->clock_us;
		} else if (node->lapsed && !node->foreign && node->seen_us > node->locked_us) {
			node->lapsed = false;
			node->locked_us = -1;
		}
	}
}
