/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/save.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"

/* ---- saving ---- */

static void put_true(json_object *o, const char *key, bool value)
{
	if (value)
		json_put_bool(o, key, true);
}

static void put_nonzero(json_object *o, const char *key, int64_t value)
{
	if (value)
		json_put_int(o, key, value);
}

static json_object *node_save(const FleetNode *node, const Fleet *fleet)
{
	json_object *o = json_object_new_object();
	json_object *labels = json_object_new_object();

	json_put_string(o, "name", node->name);
	json_put_string(o, "group", fleet->groups[node->group].name);
	for (size_t i = 0; i < node->n_labels; i++)
		json_put_string(labels, node->labels[i].key, node->labels[i].value);
	(void)json_object_object_add(o, "labels", labels);
	json_put_string(o, "release", node->release);
	json_put_bool(o, "healthy", node->healthy);
	json_put_int(o, "seen_us", node->seen_us);
	put_true(o, "blocked", node->blocked);
	put_true(o, "removed", node->removed);
	put_true(o, "foreign", node->foreign);
	if (node->locked_us >= 0)
		json_put_int(o, "locked_us", node->locked_us);
	put_true(o, "lapsed", node->lapsed);
	return o;
}

static json_object *member_save(const Member *member, const char *node)
{
	json_object *o = json_object_new_object();

	json_put_string(o, "node", node);
	json_put_string(o, "state", node_states[member->state].name);
	json_put_string(o, "outcome", node_states[member->outcome].name);
	put_nonzero(o, "wave", member->wave);
	put_nonzero(o, "attempts", member->attempts);
	put_nonzero(o, "number", member->number);
	if (member->result != OUTCOME_NONE)
		json_put_string(o, "result", outcome_names[member->result]);
	put_nonzero(o, "since_us", member->since_us);
	put_nonzero(o, "asked_us", member->asked_us);
	put_nonzero(o, "after_us", member->after_us);
	put_true(o, "staged", member->staged);
	put_true(o, "drained", member->drained);
	put_true(o, "changed", member->changed);
	put_true(o, "back", member->back);
	put_true(o, "failed", member->failed);
	put_true(o, "reboot", member->reboot);
	if (member->why.code != REASON_NONE)
		(void)json_object_object_add(o, "why", reason_save(&member->why));
	return o;
}

static json_object *rollout_save(const Rollout *rollout, const Fleet *fleet)
{
	json_object *o = json_object_new_object();
	json_object *members = json_object_new_array();

	json_put_string(o, "id", rollout->id);
	(void)json_object_object_add(o, "policy", policy_to_json(&rollout->policy));
	json_put_string(o, "state", rollout_states[rollout->state].name);
	json_put_string(o, "end", rollout_states[rollout->end].name);
	(void)json_object_object_add(o, "why", reason_save(&rollout->why));
	put_true(o, "frozen", rollout->frozen);
	json_put_int(o, "wave", rollout->wave);
	json_put_int(o, "moved_us", rollout->moved_us);
	put_nonzero(o, "jump_us", rollout->jump_us);
	for (size_t i = 0; i < rollout->n_members; i++) {
		if (rollout->members[i].state != NODE_OUTSIDE)
			(void)json_object_array_add(
				members, member_save(&rollout->members[i], fleet->nodes[i].name));
	}
	(void)json_object_object_add(o, "members", members);
	return o;
}

int fleet_save(const Fleet *fleet, json_object **ret, Error *err)
{
	json_object *o = json_object_new_object(), *nodes = json_object_new_array();
	json_object *groups = json_object_new_object(), *rollouts = json_object_new_array();

	if (!o || !nodes || !groups || !rollouts)
		return error_errno(err, -ENOMEM, "Saving the fleet");
	json_put_int(o, "version", SAVE_VERSION);
	if (fleet->now_us != INT64_MIN)
		json_put_int(o, "now_us", fleet->now_us);
	json_put_int(o, "clock_us", fleet->clock_us);
	json_put_int(o, "number", fleet->number);
	json_put_int(o, "lock_lease_us", fleet->lock_lease_us);
	put_true(o, "regrouped", (fleet->outdated && !fleet->loaded) || fleet->regrouped);
	ties_to_json(&fleet->ties, o);
	for (size_t i = 0; i < fleet->n_groups; i++)
		(void)json_object_object_add(groups, fleet->groups[i].name,
					     limits_to_json(&fleet->groups[i].limits));
	for (size_t i = 0; i < fleet->n_nodes; i++)
		(void)json_object_array_add(nodes, node_save(&fleet->nodes[i], fleet));
	for (size_t i = 0; i < fleet->n_rollouts; i++)
		(void)json_object_array_add(rollouts, rollout_save(&fleet->rollouts[i], fleet));
	(void)json_object_object_add(o, "groups", groups);
	(void)json_object_object_add(o, "nodes", nodes);
	(void)json_object_object_add(o, "rollouts", rollouts);
	*ret = o;
	return 0;
}

/* ---- loading ---- */

static int labels_load(Fleet *fleet, int index, json_object *labels, Error *err)
{
	if (!json_object_is_type(labels, json_type_object))
		return error_set(err, -EBADMSG, "\"labels\" is not an object of names and texts");
	json_object_object_foreach(labels, key, value)
	{
		int r = json_object_is_type(value, json_type_string)
				? fleet_node_label(fleet, index, key, json_object_get_string(value),
						   err)
				: error_set(err, -EBADMSG, "Label \"%.64s\" is not a text", key);

		if (r < 0)
			return r;
	}
	return 0;
}

static int node_load(Fleet *fleet, json_object *o, Error *err)
{
	const char *name, *group = json_opt_string(o, "group", "default");
	json_object *labels;
	FleetNode *node;
	int index, r;

	if (!json_object_is_type(o, json_type_object))
		return error_set(err, -EBADMSG, "a node is not a JSON object");
	r = json_get_string(o, "name", &name, err);
	if (r < 0)
		return r;
	/* Sets of nodes are written with commas. */
	if (!*name || !*group || strchr(name, ','))
		return error_set(err, -EINVAL, "\"%.64s\" in group \"%.64s\" is no name of a node",
				 name, group);
	if (fleet_node_find(fleet, name) >= 0)
		return error_set(err, -EINVAL, "node %s is there twice", name);
	r = fleet_node_put(fleet, name, group, &index, err);
	if (r == 0)
		r = fleet_heard(fleet, index, json_opt_bool(o, "healthy", true),
				json_opt_string(o, "release", NULL), err);
	if (r < 0)
		return r;
	node = &fleet->nodes[index];
	node->seen_us = json_opt_int(o, "seen_us", fleet->clock_us);
	node->blocked = json_opt_bool(o, "blocked", false);
	node->removed = json_opt_bool(o, "removed", false);
	node->foreign = json_opt_bool(o, "foreign", false);
	node->locked_us = json_opt_int(o, "locked_us", -1);
	node->lapsed = json_opt_bool(o, "lapsed", false);
	return json_object_object_get_ex(o, "labels", &labels)
		       ? labels_load(fleet, index, labels, err)
		       : 0;
}

static int state_load(json_object *o, const char *key, int (*by_name)(const char *), int *ret,
		      Error *err)
{
	const char *name;
	int r = json_get_string(o, key, &name, err);

	if (r < 0)
		return r;
	*ret = by_name(name);
	return *ret < 0 ? error_set(err, -EBADMSG, "\"%s\": \"%.32s\" is not known", key, name) : 0;
}

static int member_load(Fleet *fleet, Rollout *rollout, json_object *o, Error *err)
{
	const char *name;
	json_object *why = NULL;
	int index, state = 0, outcome = 0, result, r;
	Member *member;

	if ((r = json_get_string(o, "node", &name, err)) < 0 ||
	    (r = state_load(o, "state", node_state_by_name, &state, err)) < 0 ||
	    (r = state_load(o, "outcome", node_state_by_name, &outcome, err)) < 0)
		return r;
	index = fleet_node_find(fleet, name);
	result = outcome_by_name(json_opt_string(o, "result", "none"));
	if (index < 0 || result < 0)
		return error_set(err, -EBADMSG, "node %.64s or its result is not known", name);
	member = &rollout->members[index];
	*member = (Member){
		.state = (NodeState)state,
		.outcome = (NodeState)outcome,
		.wave = (int)json_opt_int(o, "wave", 0),
		.attempts = (int)json_opt_int(o, "attempts", 0),
		.number = json_opt_int(o, "number", 0),
		.result = (Outcome)result,
		.since_us = json_opt_int(o, "since_us", 0),
		.asked_us = json_opt_int(o, "asked_us", 0),
		.after_us = json_opt_int(o, "after_us", 0),
		.staged = json_opt_bool(o, "staged", false),
		.drained = json_opt_bool(o, "drained", false),
		.changed = json_opt_bool(o, "changed", false),
		.back = json_opt_bool(o, "back", false),
		.failed = json_opt_bool(o, "failed", false),
		.reboot = json_opt_bool(o, "reboot", false),
		.why = reason_make(REASON_NONE),
	};
	if (json_object_object_get_ex(o, "why", &why))
		member->why = reason_load(why);
	return 0;
}

static int members_load(Fleet *fleet, Rollout *rollout, json_object *o, Error *err)
{
	json_object *members = NULL;
	int r = json_get_array(o, "members", &members, err);

	if (r < 0)
		return r;
	rollout->members = calloc(fleet->n_nodes + 1, sizeof(*rollout->members));
	if (!rollout->members)
		return error_errno(err, -ENOMEM, "Loading rollout %s", rollout->id);
	rollout->n_members = fleet->n_nodes;
	for (size_t i = 0; i < rollout->n_members; i++)
		rollout->members[i].why = reason_make(REASON_NONE);
	for (size_t i = 0; r == 0 && i < json_length(members); i++)
		r = member_load(fleet, rollout, json_object_array_get_idx(members, i), err);
	return r;
}

static int rollout_load(Fleet *fleet, json_object *o, Error *err)
{
	Rollout *rollouts = reallocarray(fleet->rollouts, fleet->n_rollouts + 1, sizeof(*rollouts));
	Rollout *rollout;
	json_object *policy = NULL, *why = NULL;
	const char *id;
	int state = 0, end = 0, r;

	if (!rollouts)
		return error_errno(err, -ENOMEM, "Loading a rollout");
	fleet->rollouts = rollouts;
	if ((r = json_get_string(o, "id", &id, err)) < 0 ||
	    (r = json_get_object(o, "policy", &policy, err)) < 0 ||
	    (r = state_load(o, "state", rollout_state_by_name, &state, err)) < 0 ||
	    (r = state_load(o, "end", rollout_state_by_name, &end, err)) < 0)
		return r;
	rollout = &rollouts[fleet->n_rollouts++];
	*rollout = (Rollout){
		.id = strdup(id),
		.state = (RolloutState)state,
		.end = (RolloutState)end,
		.why = reason_make(REASON_NONE),
		.frozen = json_opt_bool(o, "frozen", false),
		.wave = (int)json_opt_int(o, "wave", 0),
		.moved_us = json_opt_int(o, "moved_us", 0),
		.jump_us = json_opt_int(o, "jump_us", 0),
	};
	if (!rollout->id)
		return error_errno(err, -ENOMEM, "Loading rollout %s", id);
	if (json_object_object_get_ex(o, "why", &why))
		rollout->why = reason_load(why);
	if ((r = policy_init(&rollout->policy, err)) < 0 ||
	    (r = policy_from_json(policy, &rollout->policy, err)) < 0 ||
	    (r = members_load(fleet, rollout, o, err)) < 0)
		return error_prefix(err, "Rollout %s", id);
	return 0;
}

static int groups_load(Fleet *fleet, json_object *o, Error *err)
{
	json_object *groups = NULL;

	if (!json_object_object_get_ex(o, "groups", &groups))
		return 0;
	if (!json_object_is_type(groups, json_type_object))
		return error_set(err, -EBADMSG, "\"groups\" is not an object of names and limits");
	json_object_object_foreach(groups, name, value)
	{
		Limits limits = {0};
		int r = json_object_is_type(value, json_type_object)
				? limits_from_json(value, &limits, err)
				: error_set(err, -EBADMSG, "its limits are not an object");

		if (r == 0)
			r = fleet_group_put(fleet, name, &limits, NULL, err);
		if (r < 0)
			return error_prefix(err, "Group %.64s", name);
	}
	return 0;
}

static int header_load(Fleet *fleet, json_object *o, Error *err)
{
	int64_t version = json_opt_int(o, "version", SAVE_VERSION);

	if (version != SAVE_VERSION)
		return error_set(err, -EPROTONOSUPPORT,
				 "The fleet is of version %lld, and this segue knows version %d; "
				 "install the segue that wrote it",
				 (long long)version, SAVE_VERSION);
	fleet->now_us = json_opt_int(o, "now_us", INT64_MIN);
	fleet->clock_us = json_opt_int(o, "clock_us", 0);
	fleet->number = json_opt_int(o, "number", 0);
	fleet->lock_lease_us = json_opt_int(o, "lock_lease_us", fleet->lock_lease_us);
	return ties_from_json(o, &fleet->ties, err);
}

int fleet_load(json_object *o, Fleet **ret, Error *err)
{
	_cleanup_fleet_ Fleet *fleet = NULL;
	json_object *nodes = NULL, *rollouts = json_opt_array(o, "rollouts");
	int r = fleet_new(&fleet, err);

	if (r < 0 || (r = header_load(fleet, o, err)) < 0 || (r = groups_load(fleet, o, err)) < 0 ||
	    (r = json_get_array(o, "nodes", &nodes, err)) < 0)
		return r;
	for (size_t i = 0; i < json_length(nodes); i++) {
		r = node_load(fleet, json_object_array_get_idx(nodes, i), err);
		if (r < 0)
			return error_prefix(err, "Node %zu", i + 1);
	}
	for (size_t i = 0; i < json_length(rollouts); i++) {
		r = rollout_load(fleet, json_object_array_get_idx(rollouts, i), err);
		if (r < 0)
			return r;
	}
	/* The look-up is to be made; but who has resumed a rollout in spite of what stands in its
	 * way is not stopped again for that. */
	fleet->loaded = !json_opt_bool(o, "regrouped", false);
	*ret = steal_ptr(&fleet);
	return 0;
}
