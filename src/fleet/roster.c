/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/roster.h"

#include <errno.h>
#include <string.h>

typedef struct Entry {
	const char *apart;
	const char *name;
	int group, rank, node;
} Entry;

static int compare_names(const void *a, const void *b)
{
	const Entry *left = a, *right = b;

	if (left->group != right->group)
		return left->group - right->group;
	/* So that web2 comes before web10. */
	return strverscmp(left->name, right->name);
}

static int compare_turns(const void *a, const void *b)
{
	const Entry *left = a, *right = b;
	int order = strverscmp(left->apart, right->apart);

	if (order)
		return order;
	return left->rank != right->rank ? left->rank - right->rank : left->group - right->group;
}

static bool group_selected(const Policy *policy, const char *group)
{
	for (size_t i = 0; i < policy->groups.n; i++) {
		if (!strcmp(policy->groups.items[i], group))
			return true;
	}
	return policy->groups.n == 0;
}

/* Members for nodes that have come since, counts for groups. */
static int rooms_grow(const Fleet *fleet, Rollout *rollout, Error *err)
{
	size_t n_nodes = fleet->n_nodes, n_groups = fleet->n_groups;
	Member *members = reallocarray(rollout->members, n_nodes + 1, sizeof(*members));
	GroupCount *counts;
	Window *windows;

	if (members)
		rollout->members = members;
	counts = reallocarray(rollout->counts, n_groups + 1, sizeof(*counts));
	if (counts)
		rollout->counts = counts;
	windows = reallocarray(rollout->windows, rollout->policy.windows.n + 1, sizeof(*windows));
	if (windows)
		rollout->windows = windows;
	if (!members || !counts || !windows)
		return error_errno(err, -ENOMEM, "Listing the nodes of rollout %s", rollout->id);
	for (; rollout->n_members < n_nodes; rollout->n_members++)
		members[rollout->n_members] = (Member){.why = reason_make(REASON_NONE)};
	for (size_t i = 0; i < n_groups; i++)
		counts[i] = (GroupCount){
			.selected = group_selected(&rollout->policy, fleet->groups[i].name)};
	/* They were parsed before, when the policy was. */
	for (size_t i = 0; i < rollout->policy.windows.n; i++)
		(void)window_parse(rollout->policy.windows.items[i], &windows[i], NULL);
	return 0;
}

static void member_take_in(const Fleet *fleet, const Rollout *rollout, int index)
{
	const FleetNode *node = &fleet->nodes[index];
	Member *member = &rollout->members[index];
	bool wanted = rollout->counts[node->group].selected && !node->removed && !node->foreign;
	/* One that was removed and has come back. */
	bool is_new = member->state == NODE_OUTSIDE ||
		      (member->state == NODE_SKIPPED && member->why.code == REASON_REMOVED);
	bool already = !strcmp(node->release, rollout->policy.release);

	if (wanted && is_new) {
		*member = (Member){
			.state = already ? NODE_DONE : NODE_WAITING,
			.since_us = fleet->clock_us,
			.reboot = rollout->policy.mode == MODE_REBOOT,
			.why = reason_make(already ? REASON_ALREADY : REASON_NONE),
		};
		member->why.node = index;
	} else if (!wanted && !node->removed && member->state == NODE_WAITING) {
		member->state = NODE_SKIPPED;
		member->why = reason_make(REASON_LEFT);
		member->why.node = index;
	}
}

static int order_make(const Fleet *fleet, Rollout *rollout, Error *err)
{
	_cleanup_free_ Entry *entries = calloc(rollout->n_members + 1, sizeof(*entries));
	int *order = reallocarray(rollout->order, rollout->n_members + 1, sizeof(*order));
	const TextList *apart = &rollout->policy.ties.apart;
	size_t n = 0;

	if (order)
		rollout->order = order;
	if (!entries || !order)
		return error_errno(err, -ENOMEM, "Ordering the nodes of rollout %s", rollout->id);
	for (size_t i = 0; i < rollout->n_members; i++) {
		const FleetNode *node = &fleet->nodes[i];
		const char *value = apart->n > 0 ? node_label(node, apart->items[0]) : NULL;

		if (rollout->members[i].state != NODE_OUTSIDE)
			entries[n++] =
				(Entry){value ? value : "", node->name, node->group, 0, (int)i};
	}
	qsort(entries, n, sizeof(*entries), compare_names);
	for (size_t i = 1; i < n; i++)
		entries[i].rank =
			entries[i].group == entries[i - 1].group ? entries[i - 1].rank + 1 : 0;
	qsort(entries, n, sizeof(*entries), compare_turns);
	for (size_t i = 0; i < n; i++)
		order[i] = entries[i].node;
	rollout->n_order = n;
	return 0;
}

int roster_make(const Fleet *fleet, Rollout *rollout, Error *err)
{
	const RolloutStateInfo *state = &rollout_states[rollout->state];
	/* Who comes after the jump of all has missed it. */
	bool missed = rollout->policy.all_at_once && rollout->wave > 0;
	bool takes = !missed &&
		     (state->begins || state->can_resume || rollout->state == ROLLOUT_PLANNED);
	int r = rooms_grow(fleet, rollout, err);

	if (r < 0)
		return r;
	if (state->ended) {
		free(rollout->order);
		rollout->order = NULL;
		rollout->n_order = 0;
		return 0;
	}
	for (size_t i = 0; takes && i < rollout->n_members; i++)
		member_take_in(fleet, rollout, (int)i);
	return order_make(fleet, rollout, err);
}
