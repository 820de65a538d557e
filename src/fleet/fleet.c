/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/fleet.h"

#include <errno.h>
#include <string.h>

#include "fleet/rollout.h"
#include "fleet/roster.h"

#define LOCK_LEASE_US (3600 * SECOND_US)

int fleet_new(Fleet **ret, Error *err)
{
	Fleet *fleet = calloc(1, sizeof(*fleet));

	if (!fleet)
		return error_errno(err, -ENOMEM, "Making a fleet");
	fleet->now_us = INT64_MIN;
	fleet->lock_lease_us = LOCK_LEASE_US;
	fleet_change(fleet);
	*ret = fleet;
	return 0;
}

static void node_release_all(FleetNode *node)
{
	for (size_t i = 0; i < node->n_labels; i++) {
		free(node->labels[i].key);
		free(node->labels[i].value);
	}
	free(node->labels);
	free(node->name);
	free(node->release);
}

void fleet_free(Fleet *fleet)
{
	if (!fleet)
		return;
	for (size_t i = 0; i < fleet->n_nodes; i++)
		node_release_all(&fleet->nodes[i]);
	for (size_t i = 0; i < fleet->n_groups; i++)
		free(fleet->groups[i].name);
	for (size_t i = 0; i < fleet->n_rollouts; i++)
		rollout_release(&fleet->rollouts[i]);
	free(fleet->nodes);
	free(fleet->groups);
	free(fleet->rollouts);
	ties_release(&fleet->ties);
	tie_table_release(&fleet->table);
	free(fleet->by_name);
	free(fleet);
}

/* ---- look-up ---- */

/* FNV-1a. */
static uint32_t text_hash(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return hash;
}

/* The place of a name in the hash table, or the empty one where it belongs. */
static size_t place_of(const Fleet *fleet, const char *name)
{
	size_t mask = ((size_t)1 << fleet->bits) - 1, place = text_hash(name) & mask;

	while (fleet->by_name[place] >= 0 &&
	       strcmp(fleet->nodes[fleet->by_name[place]].name, name) != 0)
		place = (place + 1) & mask;
	return place;
}

/* At most half of the places are taken. */
static int names_grow(Fleet *fleet, Error *err)
{
	unsigned bits = fleet->bits ? fleet->bits + 1 : 6;
	int *places;

	if (fleet->by_name && (fleet->n_nodes + 1) * 2 <= (size_t)1 << fleet->bits)
		return 0;
	places = malloc(((size_t)1 << bits) * sizeof(*places));
	if (!places)
		return error_errno(err, -ENOMEM, "Adding a node");
	memset(places, 0xff, ((size_t)1 << bits) * sizeof(*places));
	free(fleet->by_name);
	fleet->by_name = places;
	fleet->bits = bits;
	for (size_t i = 0; i < fleet->n_nodes; i++)
		places[place_of(fleet, fleet->nodes[i].name)] = (int)i;
	return 0;
}

int fleet_node_find(const Fleet *fleet, const char *name)
{
	return fleet->by_name ? fleet->by_name[place_of(fleet, name)] : -1;
}

int fleet_group_find(const Fleet *fleet, const char *name)
{
	for (size_t i = 0; i < fleet->n_groups; i++) {
		if (!strcmp(fleet->groups[i].name, name))
			return (int)i;
	}
	return -1;
}

int fleet_rollout_find(const Fleet *fleet, const char *id)
{
	for (size_t i = 0; i < fleet->n_rollouts; i++) {
		if (!strcmp(fleet->rollouts[i].id, id))
			return (int)i;
	}
	return -1;
}

const char *node_label(const FleetNode *node, const char *key)
{
	for (size_t i = 0; i < node->n_labels; i++) {
		if (!strcmp(node->labels[i].key, key))
			return node->labels[i].value;
	}
	return NULL;
}

/* ---- what changes ---- */

int fleet_group_put(Fleet *fleet, const char *name, const Limits *limits, int *ret, Error *err)
{
	int index = fleet_group_find(fleet, name);

	if (index < 0) {
		Group *groups = reallocarray(fleet->groups, fleet->n_groups + 1, sizeof(*groups));
		char *copy = strdup(name);

		if (groups)
			fleet->groups = groups;
		if (!groups || !copy) {
			free(copy);
			return error_errno(err, -ENOMEM, "Adding group %s", name);
		}
		index = (int)fleet->n_groups++;
		groups[index] = (Group){.name = copy};
		fleet_change(fleet);
	}
	if (limits)
		fleet->groups[index].limits = *limits;
	if (ret)
		*ret = index;
	return 0;
}

static int node_add(Fleet *fleet, const char *name, int *ret, Error *err)
{
	_cleanup_free_ char *copy = strdup(name), *release = strdup("");
	FleetNode *nodes;
	int r = names_grow(fleet, err);

	if (r < 0)
		return r;
	nodes = reallocarray(fleet->nodes, fleet->n_nodes + 1, sizeof(*nodes));
	if (nodes)
		fleet->nodes = nodes;
	if (!nodes || !copy || !release)
		return error_errno(err, -ENOMEM, "Adding node %s", name);
	fleet->by_name[place_of(fleet, name)] = (int)fleet->n_nodes;
	*ret = (int)fleet->n_nodes++;
	nodes[*ret] = (FleetNode){
		.name = steal_ptr(&copy),
		.release = steal_ptr(&release),
		.healthy = true,
		.seen_us = fleet->clock_us,
		.locked_us = -1,
		.holder = -1,
	};
	return 0;
}

int fleet_node_put(Fleet *fleet, const char *name, const char *group, int *ret, Error *err)
{
	int index = fleet_node_find(fleet, name), group_index = -1;
	int r = fleet_group_put(fleet, group, NULL, &group_index, err);

	if (r == 0 && index < 0)
		r = node_add(fleet, name, &index, err);
	if (r < 0)
		return r;
	fleet->nodes[index].group = group_index;
	fleet->nodes[index].removed = false;
	fleet->nodes[index].foreign = false;
	fleet_change(fleet);
	if (ret)
		*ret = index;
	return 0;
}

int fleet_node_label(Fleet *fleet, int index, const char *key, const char *value, Error *err)
{
	FleetNode *node = &fleet->nodes[index];
	_cleanup_free_ char *key_copy = strdup(key), *value_copy = strdup(value);
	Label *labels;

	if (!key_copy || !value_copy)
		return error_errno(err, -ENOMEM, "Labelling node %s", node->name);
	fleet_change(fleet);
	for (size_t i = 0; i < node->n_labels; i++) {
		if (strcmp(node->labels[i].key, key) != 0)
			continue;
		free(node->labels[i].value);
		node->labels[i].value = steal_ptr(&value_copy);
		return 0;
	}
	labels = reallocarray(node->labels, node->n_labels + 1, sizeof(*labels));
	if (!labels)
		return error_errno(err, -ENOMEM, "Labelling node %s", node->name);
	node->labels = labels;
	labels[node->n_labels++] = (Label){steal_ptr(&key_copy), steal_ptr(&value_copy)};
	return 0;
}

void fleet_node_remove(Fleet *fleet, int node)
{
	fleet->nodes[node].removed = true;
	fleet->nodes[node].locked_us = -1;
	fleet_change(fleet);
}

void fleet_node_block(Fleet *fleet, int node, bool blocked)
{
	fleet->nodes[node].blocked = blocked;
}

int fleet_node_runs(Fleet *fleet, int index, const char *release, Error *err)
{
	FleetNode *node = &fleet->nodes[index];
	char *copy = strdup(release);

	if (!copy)
		return error_errno(err, -ENOMEM, "Hearing of node %s", node->name);
	free(node->release);
	node->release = copy;
	return 0;
}

int fleet_heard(Fleet *fleet, int index, bool healthy, const char *release, Error *err)
{
	FleetNode *node = &fleet->nodes[index];
	int r = 0;

	if (release && strcmp(release, node->release) != 0)
		r = fleet_node_runs(fleet, index, release, err);
	if (r < 0)
		return r;
	node->healthy = healthy;
	node->seen_us = fleet->clock_us;
	/* From now on it can be a rollout's. */
	if (node->foreign)
		fleet_change(fleet);
	node->foreign = false;
	return 0;
}

void fleet_change(Fleet *fleet)
{
	fleet->outdated = true;
	fleet->loaded = false;
}

int fleet_refresh(Fleet *fleet, Error *err)
{
	TieTable table = {0};
	int r = 0;

	if (!fleet->outdated)
		return 0;
	for (size_t i = 0; r == 0 && i < fleet->n_rollouts; i++)
		r = roster_make(fleet, &fleet->rollouts[i], err);
	if (r == 0)
		r = tie_table_make(fleet, &table, err);
	if (r < 0)
		return r;
	tie_table_release(&fleet->table);
	fleet->table = table;
	fleet->outdated = false;
	fleet->regrouped |= !fleet->loaded;
	fleet->loaded = false;
	return 0;
}

/* ---- counting ---- */

/* The longest lease that a rollout under way gives, or the usual one. */
static int64_t fleet_lease_us(const Fleet *fleet)
{
	int64_t lease = 0;

	for (size_t i = 0; i < fleet->n_rollouts; i++) {
		const Rollout *rollout = &fleet->rollouts[i];

		if (!rollout_states[rollout->state].ended &&
		    rollout->policy.times_us[TIME_LEASE] > lease)
			lease = rollout->policy.times_us[TIME_LEASE];
	}
	return lease > 0 ? lease : 90 * SECOND_US;
}

static void node_look(FleetNode *node, int64_t silent_before_us)
{
	node->holder = -1;
	node->silent = !node->foreign && node->seen_us < silent_before_us;
	node->changing = node->locked_us >= 0 && !node->lapsed;
	node->down = node->locked_us >= 0 || !node->healthy || node->silent;
}

static void rollout_look(Fleet *fleet, int index)
{
	const Rollout *rollout = &fleet->rollouts[index];

	for (size_t i = 0; i < rollout->n_members; i++) {
		const NodeStateInfo *state = &node_states[rollout->members[i].state];
		FleetNode *node = &fleet->nodes[i];

		if (state->held || rollout->members[i].state == NODE_LOST)
			node->holder = index;
		node->changing |= state->changing;
		/* What is out of service stays so until somebody puts it back. */
		node->down |= state->down || rollout->members[i].drained;
	}
}

void fleet_count(Fleet *fleet)
{
	int64_t lease = fleet_lease_us(fleet);

	for (size_t i = 0; i < fleet->n_groups; i++) {
		Group *group = &fleet->groups[i];

		group->n = group->changing = group->unavailable = group->unhealthy = 0;
	}
	for (size_t i = 0; i < fleet->n_nodes; i++)
		node_look(&fleet->nodes[i], fleet->clock_us - lease);
	for (size_t i = 0; i < fleet->n_rollouts; i++)
		rollout_look(fleet, (int)i);
	tie_clear(&fleet->table);
	for (size_t i = 0; i < fleet->n_nodes; i++) {
		const FleetNode *node = &fleet->nodes[i];
		Group *group = &fleet->groups[node->group];

		if (node->removed)
			continue;
		group->n++;
		group->changing += node->changing;
		group->unavailable += node->down;
		group->unhealthy += node->down && !node->changing;
		if (node->down)
			tie_count(&fleet->table, (int)i, !node->changing);
	}
	for (size_t i = 0; i < fleet->n_rollouts; i++)
		rollout_count(fleet, &fleet->rollouts[i]);
}
