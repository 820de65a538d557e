/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/rollout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "fleet/lock.h"
#include "fleet/rollout.h"
#include "fleet/save.h"
#include "hub/event.h"
#include "hub/hook.h"
#include "hub/hub.h"
#include "hub/node.h"
#include "hub/rollout_order.h"

#define TICK_US 1000000U
#define SAVE_US ((int64_t)30 * 1000000) /* what only time has changed */
#define DEFAULT "default"               /* group of nodes without the label "group" */
#define GROUP   "group"

struct Rollouts {
	Hub *hub;
	sd_event_source *tick;
	Hooks *hooks;
	Events *events; /* NULL: this hub does not lead */
	Fleet *fleet;
	json_object *commands; /* by rollout: its hooks */
	RolloutOrders orders;
	Actions decided, pending;
	bool changed; /* since it was saved */
	int64_t saved_us;
};

static int64_t now_us(void)
{
	return clock_realtime_us();
}

/* ---- what is kept ---- */

static int state_save(Rollouts *r, Error *err)
{
	_cleanup_json_ json_object *o = json_object_new_object();
	json_object *fleet;
	int result = fleet_save(r->fleet, &fleet, err);

	if (result < 0)
		return result;
	(void)json_object_object_add(o, "fleet", fleet);
	(void)json_object_object_add(o, "hooks", json_object_get(r->commands));
	(void)json_object_object_add(o, "kernels", json_object_get(r->orders.kernels));
	(void)json_object_object_add(o, "before", json_object_get(r->orders.before));
	result = db_begin(r->hub->db, DB_DURABLE, err);
	if (result < 0)
		return result;
	result = db_run(r->hub->db, NULL, err,
			"INSERT INTO fleet (id, body) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE "
			"SET body = ?1",
			"t", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	result = db_end(r->hub->db, result, err);
	if (result == 0) {
		r->changed = false;
		r->saved_us = clock_monotonic_us();
	}
	return result;
}

static json_object *object_take(json_object *o, const char *key)
{
	json_object *value = NULL;

	if (json_object_object_get_ex(o, key, &value) &&
	    json_object_is_type(value, json_type_object))
		return json_object_get(value);
	return json_object_new_object();
}

static int state_read(Db *db, json_object **ret, Error *err)
{
	sqlite3_stmt *row;
	int r = db_query(db, &row, err, "SELECT body FROM fleet WHERE id = 1", "");

	*ret = NULL;
	if (r < 0 || (r = db_step(db, row, err)) <= 0)
		return r;
	*ret = json_tokener_parse(db_text(row, 0));
	(void)sqlite3_reset(row);
	return *ret ? 0 : error_set(err, -EBADMSG, "What was kept of rollouts is damaged");
}

static int state_load(Rollouts *r, Error *err)
{
	_cleanup_json_ json_object *o = NULL;
	json_object *fleet = NULL;
	int result = state_read(r->hub->db, &o, err);

	if (result < 0)
		return result;
	r->commands = object_take(o, "hooks");
	r->orders.kernels = object_take(o, "kernels");
	r->orders.before = object_take(o, "before");
	if (json_object_object_get_ex(o, "fleet", &fleet))
		return fleet_load(fleet, &r->fleet, err);
	return fleet_new(&r->fleet, err);
}

/* ---- deciding ---- */

static bool is_under_way(const Rollouts *r)
{
	for (size_t i = 0; i < r->fleet->n_rollouts; i++)
		if (!rollout_states[r->fleet->rollouts[i].state].ended)
			return true;
	for (size_t i = 0; i < r->fleet->n_nodes; i++)
		if (r->fleet->nodes[i].locked_us >= 0)
			return true;
	return false;
}

static const char *command_of(const Rollouts *r, const Action *action)
{
	static const char *const names[ACTION_KINDS] = {
		[ACTION_GATE_BEFORE] = "gate_before",
		[ACTION_GATE_AFTER] = "gate_after",
		[ACTION_DRAIN] = "drain",
		[ACTION_UNDRAIN] = "undrain",
	};
	json_object *hooks = NULL;

	if (!names[action->kind] ||
	    !json_object_object_get_ex(r->commands, r->fleet->rollouts[action->rollout].id, &hooks))
		return NULL;
	return json_opt_string(hooks, names[action->kind], NULL);
}

static PolicyTime time_of(ActionKind kind)
{
	return kind == ACTION_DRAIN || kind == ACTION_UNDRAIN ? TIME_DRAIN : TIME_GATE;
}

static int hook_begin(Rollouts *r, const Action *action, Error *err)
{
	const FleetNode *node = &r->fleet->nodes[action->node];
	const Policy *policy = &r->fleet->rollouts[action->rollout].policy;
	_cleanup_json_ json_object *nodes = NULL;
	HookCase hook = {
		.command = command_of(r, action),
		.hook = action_names[action->kind],
		.node = node->name,
		.group = r->fleet->groups[node->group].name,
		.release = policy->release,
		.limit_us = policy->times_us[time_of(action->kind)],
	};
	int result;

	if (hooks_has(r->hooks, action->number))
		return 0;
	/* Nothing to be run: well. */
	if (!hook.command) {
		(void)fleet_result(r->fleet, action->node, action->number, OUTCOME_OK);
		return 0;
	}
	result = hub_nodes(r->hub, node->name, now_us() / 1000000, &nodes, err);
	if (result < 0)
		return result;
	hook.address = json_opt_string(json_object_array_get_idx(nodes, 0), "address", "");
	return hooks_run(r->hooks, action->number, &hook, err);
}

static bool is_order(ActionKind kind)
{
	return kind == ACTION_STAGE || kind == ACTION_SWAP || kind == ACTION_RETURN;
}

/* Whatever is asked and has not been begun.  What cannot be now is tried again at the next turn. */
static void actions_begin(Rollouts *r)
{
	Error err = {0};

	if (fleet_pending(r->fleet, &r->pending, &err) < 0 ||
	    rollout_orders_give(&r->orders, r->hub, r->fleet, &r->pending, now_us(), &err) < 0)
		(void)fprintf(stderr, SD_ERR "Rollouts: %s\n", err.text);
	for (size_t i = 0; i < r->pending.n; i++) {
		const Action *action = &r->pending.list[i];
		Error why = {0};

		if (!is_order(action->kind) && hook_begin(r, action, &why) < 0)
			(void)fprintf(stderr, SD_ERR "%s of node %s: %s\n",
				      action_names[action->kind],
				      r->fleet->nodes[action->node].name, why.text);
	}
}

/* In the order that fleet/rollout.h asks for. */
static void turn(Rollouts *r)
{
	Error err = {0};
	int result = fleet_step(r->fleet, now_us(), &r->decided, &err);

	if (result == 0 &&
	    (r->changed || r->decided.n > 0 || clock_monotonic_us() - r->saved_us > SAVE_US))
		result = state_save(r, &err);
	if (result < 0) {
		(void)fprintf(stderr, SD_ERR "Rollouts: %s\n", err.text);
		return;
	}
	events_look(r->events, r->fleet, r->commands);
	actions_begin(r);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *data)
{
	Rollouts *r = data;

	if (is_under_way(r))
		turn(r);
	(void)sd_event_source_set_time_relative(source, TICK_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* At once, but not in the middle of a request. */
static void turn_soon(Rollouts *r)
{
	r->changed = true;
	(void)sd_event_source_set_time_relative(r->tick, 0);
	(void)sd_event_source_set_enabled(r->tick, SD_EVENT_ONESHOT);
}

static int node_of_number(const Rollouts *r, int64_t number)
{
	for (size_t i = 0; i < r->pending.n; i++)
		if (r->pending.list[i].number == number)
			return r->pending.list[i].node;
	return -1;
}

static void on_hook_ended(int64_t number, bool well, void *data)
{
	Rollouts *r = data;
	int node;

	if (events_ended(r->events, number))
		return;
	node = node_of_number(r, number);

	if (node >= 0)
		(void)fleet_result(r->fleet, node, number, well ? OUTCOME_OK : OUTCOME_FAILED);
	turn_soon(r);
}

/* ---- nodes ---- */

static int node_put(Rollouts *r, json_object *node, Error *err)
{
	json_object *labels = NULL;
	int index, result;

	(void)json_object_object_get_ex(node, "labels", &labels);
	result = fleet_node_put(r->fleet, json_opt_string(node, "name", ""),
				json_opt_string(labels, GROUP, DEFAULT), &index, err);
	if (result < 0 || !labels)
		return result;
	json_object_object_foreach(labels, key, value)
	{
		result = fleet_node_label(r->fleet, index, key, json_object_get_string(value), err);
		if (result < 0)
			return result;
	}
	return 0;
}

static bool is_listed(json_object *nodes, const char *name)
{
	for (size_t i = 0; i < json_length(nodes); i++)
		if (!strcmp(json_opt_string(json_object_array_get_idx(nodes, i), "name", ""), name))
			return true;
	return false;
}

static void report_take(Rollouts *r, int node, json_object *report)
{
	bool healthy = r->fleet->nodes[node].healthy;
	const char *release = NULL;
	Error err = {0};

	if (report) {
		healthy = strcmp(json_opt_string(report, "health", ""), "failing") != 0;
		release = rollout_orders_release(&r->orders, r->fleet,
						 json_opt_string(report, "kernel", ""));
	}
	if (fleet_heard(r->fleet, node, healthy, release, &err) < 0)
		(void)fprintf(stderr, SD_ERR "Rollouts: %s\n", err.text);
}

/* As the database has them: some may have come or gone since it was saved. */
static int nodes_load(Rollouts *r, Error *err)
{
	_cleanup_json_ json_object *nodes = NULL;
	int result = hub_nodes(r->hub, NULL, now_us() / 1000000, &nodes, err);

	for (size_t i = 0; result == 0 && i < json_length(nodes); i++) {
		json_object *node = json_object_array_get_idx(nodes, i), *report = NULL;
		const char *name = json_opt_string(node, "name", "");
		int index;

		result = node_put(r, node, err);
		index = fleet_node_find(r->fleet, name);
		if (result == 0 && index >= 0 && !*r->fleet->nodes[index].release &&
		    json_object_object_get_ex(node, "report", &report))
			report_take(r, index, report);
	}
	for (size_t i = 0; result == 0 && i < r->fleet->n_nodes; i++)
		if (!r->fleet->nodes[i].removed && !r->fleet->nodes[i].foreign &&
		    !is_listed(nodes, r->fleet->nodes[i].name))
			fleet_node_remove(r->fleet, (int)i);
	return result;
}

int rollouts_node_added(Rollouts *r, const char *name, Error *err)
{
	_cleanup_json_ json_object *nodes = NULL;
	int result = hub_nodes(r->hub, name, now_us() / 1000000, &nodes, err);

	if (result < 0)
		return result;
	r->changed = true;
	return node_put(r, json_object_array_get_idx(nodes, 0), err);
}

void rollouts_node_removed(Rollouts *r, const char *name)
{
	int node = fleet_node_find(r->fleet, name);

	if (node < 0)
		return;
	fleet_node_remove(r->fleet, node);
	turn_soon(r);
}

void rollouts_heard(Rollouts *r, const char *name, json_object *report)
{
	int node = fleet_node_find(r->fleet, name);

	if (node >= 0)
		report_take(r, node, report);
}

void rollouts_ended(Rollouts *r, int64_t order)
{
	Error err = {0};

	if (rollout_orders_ended(&r->orders, r->hub, r->fleet, order, now_us(), &err) < 0)
		(void)fprintf(stderr, SD_ERR "Order %lld: %s\n", (long long)order, err.text);
	turn_soon(r);
}

/* ---- operators ---- */

static int rollout_named(const Rollouts *r, const char *id, int *ret, Error *err)
{
	*ret = fleet_rollout_find(r->fleet, id);
	return *ret < 0
		       ? error_set(err, -ENOENT,
				   "There is no rollout %.64s; segue rollout status lists them", id)
		       : 0;
}

static int policy_make(json_object *policy, json_object *hooks, Policy *ret, Error *err)
{
	int r = policy_init(ret, err);

	if (r == 0)
		r = policy_from_json(policy, ret, err);
	if (r < 0)
		return r;
	ret->gate_before = json_opt_string(hooks, "gate_before", NULL) != NULL;
	ret->gate_after = json_opt_string(hooks, "gate_after", NULL) != NULL;
	ret->drain = json_opt_string(hooks, "drain", NULL) != NULL;
	if (!ret->release || !*ret->release)
		return error_set(err, -EINVAL, "\"policy\": \"release\" is missing");
	return 0;
}

static int release_learn(Rollouts *r, const char *release, Error *err)
{
	_cleanup_json_ json_object *described = NULL;
	int result = catalog_describe(r->hub->catalog, release, &described, err);

	if (result == 0)
		json_put_string(r->orders.kernels, release,
				json_opt_string(described, "kernel", ""));
	return result;
}

int rollouts_start(Rollouts *r, json_object *asked, json_object *hooks, json_object **ret,
		   Error *err)
{
	_cleanup_policy_ Policy policy = {0};
	char id[24];
	int index, result;

	if ((result = hooks_check(hooks, err)) < 0 ||
	    (result = policy_make(asked, hooks, &policy, err)) < 0 ||
	    (result = release_learn(r, policy.release, err)) < 0)
		return result;
	/* What nodes run is told by the release from now on. */
	for (size_t i = 0; i < r->fleet->n_nodes; i++) {
		const char *release = rollout_orders_release_of(&r->orders, policy.release,
								r->fleet->nodes[i].release);

		if (release && (result = fleet_node_runs(r->fleet, (int)i, release, err)) < 0)
			return result;
	}
	(void)snprintf(id, sizeof(id), "%zu", r->fleet->n_rollouts + 1);
	result = rollout_start(r->fleet, id, &policy, &index, err);
	if (result < 0)
		return result;
	(void)json_object_object_add(r->commands, id,
				     hooks ? json_object_get(hooks) : json_object_new_object());
	result = state_save(r, err);
	turn_soon(r);
	return result < 0 ? result : rollouts_describe(r, id, ret, err);
}

int rollouts_wish(Rollouts *r, const char *id, RolloutWish wish, Error *err)
{
	int rollout, result = rollout_named(r, id, &rollout, err);

	if (result < 0)
		return result;
	switch (wish) {
	case ROLLOUT_WISH_PAUSE:
		result = rollout_pause(r->fleet, rollout, err);
		break;
	case ROLLOUT_WISH_RESUME:
		result = rollout_resume(r->fleet, rollout, err);
		break;
	default:
		result = rollout_abort(r->fleet, rollout, wish == ROLLOUT_WISH_SEND_BACK, err);
	}
	if (result == 0)
		result = state_save(r, err);
	turn_soon(r);
	return result;
}

void rollouts_withdraw(Rollouts *r, const char *release)
{
	fleet_withdraw(r->fleet, release);
	turn_soon(r);
}

int rollouts_lock(Rollouts *r, const char *group, const char *id, Error *err)
{
	Reason why;
	int result;

	/* Who has been silent, and whose slot has lapsed, as of now. */
	turn(r);
	result = lock_take(r->fleet, group, id, &why, err);
	if (result == -EBUSY)
		return error_set(err, -EBUSY, "%s", reason_sentence(r->fleet, &why).text);
	return result < 0 ? result : state_save(r, err);
}

int rollouts_unlock(Rollouts *r, const char *id, Error *err)
{
	lock_give(r->fleet, id);
	turn_soon(r);
	return state_save(r, err);
}

/* ---- telling ---- */

static json_object *member_describe(const Fleet *fleet, const Rollout *rollout, size_t node)
{
	const Member *member = &rollout->members[node];
	json_object *o = json_object_new_object();

	json_put_string(o, "node", fleet->nodes[node].name);
	json_put_string(o, "group", fleet->groups[fleet->nodes[node].group].name);
	json_put_string(o, "state", node_states[member->state].name);
	json_put_int(o, "wave", member->wave);
	if (member->why.code != REASON_NONE)
		json_put_string(o, "why", reason_sentence(fleet, &member->why).text);
	return o;
}

static json_object *describe(Rollouts *r, int index, bool with_nodes)
{
	const Fleet *fleet = r->fleet;
	const Rollout *rollout = &fleet->rollouts[index];
	json_object *o = json_object_new_object(), *nodes = json_object_new_array();
	Reason why = rollout_why(fleet, index);
	int64_t done = 0, all = 0;

	for (size_t i = 0; i < rollout->n_members; i++) {
		if (rollout->members[i].state == NODE_OUTSIDE)
			continue;
		all++;
		done += rollout->members[i].state == NODE_DONE;
		(void)json_object_array_add(nodes, member_describe(fleet, rollout, i));
	}
	json_put_string(o, "id", rollout->id);
	json_put_string(o, "release", rollout->policy.release);
	json_put_string(o, "state", rollout_states[rollout->state].name);
	json_put_bool(o, "ended", rollout_states[rollout->state].ended);
	json_put_int(o, "wave", rollout->wave);
	json_put_int(o, "nodes_done", done);
	json_put_int(o, "nodes_all", all);
	json_put_string(o, "why",
			why.code == REASON_NONE ? NULL : reason_sentence(fleet, &why).text);
	if (!with_nodes) {
		(void)json_object_put(nodes);
		return o;
	}
	(void)json_object_object_add(o, "nodes", nodes);
	(void)json_object_object_add(o, "policy", policy_to_json(&rollout->policy));
	return o;
}

int rollouts_list(Rollouts *r, json_object **ret, Error *err)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < r->fleet->n_rollouts; i++)
		(void)json_object_array_add(list, describe(r, (int)i, false));
	*ret = json_object_new_object();
	return json_object_object_add(*ret, "rollouts", list);
}

int rollouts_describe(Rollouts *r, const char *id, json_object **ret, Error *err)
{
	int rollout, result = rollout_named(r, id, &rollout, err);

	if (result == 0)
		*ret = describe(r, rollout, true);
	return result;
}

static bool is_failure(NodeState state)
{
	return state == NODE_FAILED || state == NODE_RETURNED || state == NODE_LOST;
}

RolloutCount rollouts_count(const Rollouts *r)
{
	RolloutCount count = {0};

	for (size_t i = 0; i < r->fleet->n_rollouts; i++) {
		const Rollout *rollout = &r->fleet->rollouts[i];

		if (rollout_states[rollout->state].ended) {
			count.done += rollout->state == ROLLOUT_DONE;
			count.failed += rollout->state != ROLLOUT_DONE;
			continue;
		}
		count.under_way++;
		for (size_t j = 0; j < rollout->n_members; j++) {
			NodeState state = rollout->members[j].state;

			count.nodes += state != NODE_OUTSIDE;
			count.nodes_done += state == NODE_DONE;
			count.nodes_failed += is_failure(state);
		}
	}
	return count;
}

int rollouts_why(Rollouts *r, const char *name, json_object **ret, Error *err)
{
	int node = fleet_node_find(r->fleet, name), rollout = fleet_rollout_find(r->fleet, name);
	Reason why;

	if (node < 0 && rollout < 0)
		return error_set(err, -ENOENT, "There is no node and no rollout %.64s", name);
	why = node >= 0 ? node_why(r->fleet, node) : rollout_why(r->fleet, rollout);
	*ret = reason_to_json(r->fleet, &why);
	return 0;
}

/* ---- beginning and end ---- */

int rollouts_open(Hub *hub, sd_event *event, Rollouts **ret, Error *err)
{
	Rollouts *r = calloc(1, sizeof(*r));
	int result;

	if (!r)
		return error_errno(err, -ENOMEM, "Starting rollouts");
	r->hub = hub;
	if ((result = hooks_new(event, on_hook_ended, r, &r->hooks, err)) < 0 ||
	    (result = state_load(r, err)) < 0 || (result = nodes_load(r, err)) < 0) {
		rollouts_close(r);
		return result;
	}
	/* Only what is asked about them. */
	if (hub->follows) {
		*ret = r;
		return 0;
	}
	if ((result = events_new(r->hooks, r->fleet, &r->events, err)) < 0 ||
	    (result = rollout_orders_resume(&r->orders, hub, r->fleet, now_us(), err)) < 0) {
		rollouts_close(r);
		return result;
	}
	result = sd_event_add_time_relative(event, &r->tick, CLOCK_MONOTONIC, TICK_US, 0, on_tick,
					    r);
	if (result < 0) {
		rollouts_close(r);
		return error_errno(err, result, "Starting rollouts");
	}
	*ret = r;
	return 0;
}

void rollouts_close(Rollouts *r)
{
	if (!r)
		return;
	(void)sd_event_source_disable_unref(r->tick);
	hooks_free(r->hooks);
	events_free(r->events);
	actions_release(&r->decided);
	actions_release(&r->pending);
	fleet_free(r->fleet);
	(void)json_object_put(r->commands);
	(void)json_object_put(r->orders.kernels);
	(void)json_object_put(r->orders.before);
	free(r);
}
