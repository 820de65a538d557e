/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/obstacle.h"

#include <stdlib.h>
#include <string.h>

static const LimitKind progress_limits[] = {LIMIT_CHANGING, LIMIT_UNAVAILABLE};

/* How many nodes of a group are the rollout's to change. */
static int group_size(const Fleet *fleet, int group)
{
	int n = 0;

	for (size_t i = 0; i < fleet->n_nodes; i++)
		n += fleet->nodes[i].group == group && !fleet->nodes[i].removed;
	return n;
}

/* All at once takes the whole group down, so its limits have to allow that. */
static bool limits_obstacle(const Fleet *fleet, const Rollout *rollout, int group,
			    const Limits *limits, Reason *ret_why)
{
	int n = group_size(fleet, group);
	int need = rollout->policy.all_at_once ? n : 1;

	for (size_t i = 0; i < sizeof(progress_limits) / sizeof(progress_limits[0]); i++) {
		int limit = limit_of(limits->by[progress_limits[i]], n);

		if (n == 0 || limit >= need)
			continue;
		*ret_why = reason_make(need > 1 ? REASON_AT_ONCE : REASON_LIMIT_NONE);
		ret_why->group = group;
		ret_why->have = progress_limits[i];
		ret_why->limit = limit;
		ret_why->of = n;
		return true;
	}
	return false;
}

static bool group_obstacle(const Fleet *fleet, const Rollout *rollout, int group, Reason *ret_why)
{
	static const Limits none;
	/* The limits of a rollout of all nodes at once are left aside: that is what it says. */
	const Limits *own = rollout->policy.all_at_once ? &none : &rollout->policy.limits;

	return limits_obstacle(fleet, rollout, group, own, ret_why) ||
	       limits_obstacle(fleet, rollout, group, &fleet->groups[group].limits, ret_why);
}

static bool is_selected(const Fleet *fleet, const Rollout *rollout, int node)
{
	const FleetNode *fleet_node = &fleet->nodes[node];

	return !fleet_node->removed && !fleet_node->foreign &&
	       rollout->counts[fleet_node->group].selected;
}

/* A cell of which no node may ever go down. */
static bool tie_obstacle(const Fleet *fleet, const Rollout *rollout, int node, Reason *ret_why)
{
	const TieTable *table = &fleet->table;

	for (int i = table->first[node]; i < table->first[node + 1]; i++) {
		const TieCell *cell = &table->cells[table->cell_of[i]];
		bool alone = cell->max_down >= cell->n;
		bool quorum = table->sets[cell->set].kind == TIE_QUORUM;

		if (cell->max_down > 0 && !(rollout->policy.all_at_once && !alone) &&
		    !(quorum && cell->absent >= cell->max_down))
			continue;
		*ret_why = reason_make(rollout->policy.all_at_once ? REASON_AT_ONCE
								   : REASON_QUORUM_NONE);
		ret_why->set = cell->set;
		ret_why->node = node;
		ret_why->have = cell->absent;
		ret_why->limit = cell->max_down;
		ret_why->of = cell->n;
		return true;
	}
	return false;
}

static bool window_obstacle(const Rollout *rollout, Reason *ret_why)
{
	int64_t longest = 0, need = rollout->policy.times_us[TIME_EXPECT];

	for (size_t i = 0; i < rollout->policy.windows.n; i++) {
		int64_t length = (int64_t)rollout->windows[i].length_min * 60 * SECOND_US;

		if (length > longest)
			longest = length;
	}
	if (rollout->policy.windows.n == 0 || longest >= need)
		return false;
	*ret_why = reason_make(REASON_WINDOW_SHORT);
	ret_why->limit = longest / SECOND_US;
	ret_why->have = need / SECOND_US;
	return true;
}

bool obstacle_find(const Fleet *fleet, int index, Reason *ret_why)
{
	const Rollout *rollout = &fleet->rollouts[index];

	for (size_t i = 0; i < fleet->n_groups; i++) {
		if (rollout->counts[i].selected && group_obstacle(fleet, rollout, (int)i, ret_why))
			return true;
	}
	for (size_t i = 0; i < fleet->n_nodes; i++) {
		if (is_selected(fleet, rollout, (int)i) &&
		    tie_obstacle(fleet, rollout, (int)i, ret_why))
			return true;
	}
	return window_obstacle(rollout, ret_why);
}

/* ---- at the start ---- */

static bool label_obstacle(const Fleet *fleet, const Rollout *rollout, int node, int set,
			   Reason *ret_why)
{
	TieKind kind = fleet->table.sets[set].kind;

	if ((kind != TIE_APART && kind != TIE_PAIR_BY) ||
	    node_label(&fleet->nodes[node], fleet->table.sets[set].name))
		return false;
	*ret_why = reason_make(REASON_NO_LABEL);
	ret_why->node = node;
	ret_why->set = set;
	return true;
}

/* Named nodes that there are not, or a set of one. */
static bool names_obstacle(const Fleet *fleet, Reason *ret_why)
{
	for (size_t i = 0; i < fleet->table.n_cells; i++) {
		const TieCell *cell = &fleet->table.cells[i];
		TieKind kind = fleet->table.sets[cell->set].kind;

		if ((kind != TIE_PAIR && kind != TIE_QUORUM) || (cell->absent == 0 && cell->n > 1))
			continue;
		*ret_why = reason_make(cell->absent ? REASON_NO_SUCH_NODE : REASON_SET_SMALL);
		ret_why->set = cell->set;
		ret_why->have = cell->absent;
		return true;
	}
	return false;
}

static bool overlap_obstacle(const Fleet *fleet, int index, Reason *ret_why)
{
	const Rollout *rollout = &fleet->rollouts[index];

	for (size_t i = 0; i < fleet->n_rollouts; i++) {
		const Rollout *other = &fleet->rollouts[i];

		if ((int)i == index || rollout_states[other->state].ended ||
		    other->policy.priority < rollout->policy.priority)
			continue;
		for (size_t group = 0; group < fleet->n_groups; group++) {
			if (!other->counts[group].selected || !rollout->counts[group].selected)
				continue;
			*ret_why = reason_make(REASON_OVERLAP);
			ret_why->rollout = (int)i;
			ret_why->group = (int)group;
			ret_why->have = rollout->policy.priority;
			ret_why->limit = other->policy.priority;
			return true;
		}
	}
	return false;
}

bool obstacle_find_at_start(const Fleet *fleet, int index, Reason *ret_why)
{
	const Rollout *rollout = &fleet->rollouts[index];
	size_t n = 0;

	if (!*rollout->policy.release) {
		*ret_why = reason_make(REASON_NO_RELEASE);
		return true;
	}
	for (size_t i = 0; i < fleet->n_nodes; i++) {
		if (!is_selected(fleet, rollout, (int)i))
			continue;
		n++;
		for (size_t set = 0; set < fleet->table.n_sets; set++) {
			if (fleet->table.sets[set].rollout == index &&
			    label_obstacle(fleet, rollout, (int)i, (int)set, ret_why))
				return true;
		}
	}
	if (n == 0) {
		*ret_why = reason_make(REASON_NOTHING);
		return true;
	}
	return overlap_obstacle(fleet, index, ret_why) || names_obstacle(fleet, ret_why);
}
