/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/rollout_order.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "hub/node.h"
#include "hub/order.h"

/* What a node says of an order, see segue-link(8). */
#define SAYS_NOT_CARRIED "not carried: "
#define SAYS_RETURNED    "returned: "

const char *rollout_orders_release_of(const RolloutOrders *orders, const char *release,
				      const char *kernel)
{
	const char *known = json_opt_string(orders->kernels, release, NULL);

	return known && !strcmp(known, kernel) ? release : NULL;
}

const char *rollout_orders_release(const RolloutOrders *orders, const Fleet *fleet,
				   const char *kernel)
{
	for (size_t i = fleet->n_rollouts; i-- > 0;) {
		const char *release = rollout_orders_release_of(
			orders, fleet->rollouts[i].policy.release, kernel);

		if (release)
			return release;
	}
	return kernel;
}

/* ---- which order an action has ---- */

static int order_note(Db *db, int64_t number, int64_t order, Error *err)
{
	return db_run(
		db, NULL, err,
		"INSERT INTO actions (number, ordered) VALUES (?1, ?2) ON CONFLICT (number) DO "
		"UPDATE SET ordered = ?2",
		"ii", number, order);
}

static int order_of(Db *db, int64_t number, int64_t *ret, Error *err)
{
	return db_number(db, 0, ret, err, "SELECT ordered FROM actions WHERE number = ?", "i",
			 number);
}

/* ---- giving ---- */

/* Order and note are one: else a hub that is killed would give it twice. */
static int order_give(Hub *hub, const char *node, int64_t number, const char *kind,
		      json_object *body, int64_t now_s, Error *err)
{
	int64_t id, order = 0;
	Error busy = {0};
	int r = node_find(hub->db, node, &id, err);

	if (r < 0 || (r = db_begin(hub->db, DB_DURABLE, err)) < 0)
		return r;
	r = order_check_none(hub->db, id, &busy);
	if (r == 0)
		r = order_insert(hub->db, id, kind, body, now_s, &order, err);
	if (r == 0)
		r = order_note(hub->db, number, order, err);
	if (r == -EBUSY) {
		db_rollback(hub->db);
		return 0;
	}
	if ((r = db_end(hub->db, r, err)) < 0)
		return r;
	hub->count.orders++;
	orders_wake(hub, id);
	return 0;
}

static json_object *release_body(const char *release)
{
	json_object *body = json_object_new_object();

	json_put_string(body, "release", release);
	return body;
}

/* Links that know nothing of it are not asked about it in vain. */
static void reboot_put(json_object *body, bool reboot)
{
	if (reboot)
		json_put_bool(body, "reboot", true);
}

static const char *kernel_now(json_object *node)
{
	json_object *report = NULL;

	(void)json_object_object_get_ex(node, "report", &report);
	return json_opt_string(report, "kernel", "");
}

/* Noted first: a node that goes back later goes there. */
static int swap_give(RolloutOrders *orders, Hub *hub, const Fleet *fleet, const Action *action,
		     int64_t now_s, Error *err)
{
	const char *name = fleet->nodes[action->node].name;
	const Policy *policy = &fleet->rollouts[action->rollout].policy;
	_cleanup_json_ json_object *nodes = NULL, *body = release_body(policy->release);
	const char *kernel;
	int r = hub_nodes(hub, name, now_s, &nodes, err);

	if (r < 0)
		return r;
	reboot_put(body, action->reboot);
	/* It gets ready, and waits for the others. */
	if (action->at_us && !action->reboot)
		json_put_int(body, "jump_at_s", action->at_us / SECOND_US);
	kernel = kernel_now(json_object_array_get_idx(nodes, 0));
	if (!rollout_orders_release_of(orders, policy->release, kernel))
		json_put_string(orders->before, name, kernel);
	return order_give(hub, name, action->number, "swap", body, now_s, err);
}

static int return_give(const RolloutOrders *orders, Hub *hub, Fleet *fleet, const Action *action,
		       int64_t now_s, Error *err)
{
	const char *name = fleet->nodes[action->node].name;
	const char *kernel = json_opt_string(orders->before, name, NULL);
	_cleanup_json_ json_object *body = json_object_new_object();

	if (!kernel || !*kernel) {
		(void)fleet_result(fleet, action->node, action->number, OUTCOME_FAILED);
		return 0;
	}
	json_put_string(body, "kernel", kernel);
	reboot_put(body, action->reboot);
	return order_give(hub, name, action->number, "swap", body, now_s, err);
}

/* Whose action is for this node, of those that are to fetch. */
static const Action *action_of(const Fleet *fleet, const Actions *pending, const char *name)
{
	for (size_t i = 0; i < pending->n; i++)
		if (pending->list[i].kind == ACTION_STAGE &&
		    !strcmp(fleet->nodes[pending->list[i].node].name, name))
			return &pending->list[i];
	return NULL;
}

/* To be killed before the notes are made does no harm: what is fetched is fetched. */
static int fetches_note(Hub *hub, const Fleet *fleet, const Actions *pending, json_object *pushed,
			Error *err)
{
	json_object *orders = json_opt_array(pushed, "orders");
	int r = db_begin(hub->db, DB_DURABLE, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < json_length(orders); i++) {
		json_object *order = json_object_array_get_idx(orders, i);
		const Action *action =
			action_of(fleet, pending, json_opt_string(order, "node", ""));

		if (action)
			r = order_note(hub->db, action->number, json_opt_int(order, "order", 0),
				       err);
	}
	return db_end(hub->db, r, err);
}

/* Those of one release, all at once. */
static int fetches_give(Hub *hub, const Fleet *fleet, const Actions *pending, const char *release,
			json_object *nodes, int64_t now_s, Error *err)
{
	_cleanup_json_ json_object *pushed = NULL;
	int r = json_length(nodes) > 0 ? hub_push(hub, release, nodes, now_s, &pushed, err) : 0;

	return r < 0 || !pushed ? r : fetches_note(hub, fleet, pending, pushed, err);
}

static int stages_give(Hub *hub, const Fleet *fleet, const Actions *pending, int rollout,
		       int64_t now_s, Error *err)
{
	_cleanup_json_ json_object *nodes = json_object_new_array();
	int r = 0;

	for (size_t i = 0; r == 0 && i < pending->n; i++) {
		const Action *action = &pending->list[i];
		_cleanup_json_ json_object *found = NULL;
		int64_t order = 0;

		if (action->kind != ACTION_STAGE || action->rollout != rollout)
			continue;
		r = order_of(hub->db, action->number, &order, err);
		if (r == 0 && !order)
			r = hub_nodes(hub, fleet->nodes[action->node].name, now_s, &found, err);
		if (json_length(found) > 0)
			(void)json_object_array_add(
				nodes, json_object_get(json_object_array_get_idx(found, 0)));
	}
	return r < 0 ? r
		     : fetches_give(hub, fleet, pending, fleet->rollouts[rollout].policy.release,
				    nodes, now_s, err);
}

static int one_give(RolloutOrders *orders, Hub *hub, Fleet *fleet, const Action *action,
		    int64_t now_us, Error *err)
{
	int64_t order = 0;
	int r = order_of(hub->db, action->number, &order, err);

	if (r < 0 || order)
		return r;
	return action->kind == ACTION_SWAP
		       ? swap_give(orders, hub, fleet, action, now_us / 1000000, err)
		       : return_give(orders, hub, fleet, action, now_us / 1000000, err);
}

int rollout_orders_give(RolloutOrders *orders, Hub *hub, Fleet *fleet, const Actions *pending,
			int64_t now_us, Error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < fleet->n_rollouts; i++)
		if (!rollout_states[fleet->rollouts[i].state].ended)
			r = stages_give(hub, fleet, pending, (int)i, now_us / 1000000, err);
	for (size_t i = 0; r == 0 && i < pending->n; i++)
		if (pending->list[i].kind == ACTION_SWAP || pending->list[i].kind == ACTION_RETURN)
			r = one_give(orders, hub, fleet, &pending->list[i], now_us, err);
	return r;
}

/* ---- ending ---- */

typedef struct Ended {
	int64_t number; /* of the action; 0: it is none's */
	char node[DOCUMENT_NAME_MAX + 1], kind[16], state[16], message[32];
	char release[DOCUMENT_NAME_MAX + 1];
} Ended;

static int ended_read(Db *db, int64_t order, Ended *ret, Error *err)
{
	sqlite3_stmt *row;
	int r = db_query(db, &row, err,
			 "SELECT a.number, n.name, o.kind, o.state, substr(o.message, 1, 31), "
			 "coalesce(json_extract(o.body, '$.release'), '') FROM actions a JOIN "
			 "orders o ON o.id = a.ordered JOIN nodes n ON n.id = o.node WHERE "
			 "a.ordered = ? AND o.finished_s IS NOT NULL",
			 "i", order);

	*ret = (Ended){0};
	if (r < 0 || (r = db_step(db, row, err)) <= 0)
		return r;
	ret->number = sqlite3_column_int64(row, 0);
	(void)snprintf(ret->node, sizeof(ret->node), "%s", db_text(row, 1));
	(void)snprintf(ret->kind, sizeof(ret->kind), "%s", db_text(row, 2));
	(void)snprintf(ret->state, sizeof(ret->state), "%s", db_text(row, 3));
	(void)snprintf(ret->message, sizeof(ret->message), "%s", db_text(row, 4));
	(void)snprintf(ret->release, sizeof(ret->release), "%s", db_text(row, 5));
	(void)sqlite3_reset(row);
	return 0;
}

static Outcome outcome_of(const Ended *ended)
{
	if (!strcmp(ended->state, "done"))
		return OUTCOME_OK;
	if (!strcmp(ended->kind, "stage") && text_has_prefix(ended->message, SAYS_NOT_CARRIED))
		return OUTCOME_NOT_CARRIED;
	if (!strcmp(ended->kind, "swap") && text_has_prefix(ended->message, SAYS_RETURNED))
		return OUTCOME_RETURNED;
	return OUTCOME_FAILED;
}

/* Nobody asks of whom is rebooted whether its programs could be carried. */
static bool is_rebooted(const Fleet *fleet, int node, int64_t number)
{
	for (size_t i = 0; i < fleet->n_rollouts; i++) {
		const Rollout *rollout = &fleet->rollouts[i];

		if ((size_t)node < rollout->n_members && rollout->members[node].number == number)
			return rollout->members[node].reboot;
	}
	return false;
}

int rollout_orders_ended(RolloutOrders *orders, Hub *hub, Fleet *fleet, int64_t order,
			 int64_t now_us, Error *err)
{
	_cleanup_json_ json_object *body = NULL;
	Ended ended;
	int r = ended_read(hub->db, order, &ended, err);
	int node = r < 0 || !ended.number ? -1 : fleet_node_find(fleet, ended.node);

	if (node < 0)
		return r;
	if (!strcmp(ended.kind, "fetch") && !strcmp(ended.state, "done")) {
		body = release_body(ended.release);
		reboot_put(body, is_rebooted(fleet, node, ended.number));
		return order_give(hub, ended.node, ended.number, "stage", body, now_us / 1000000,
				  err);
	}
	(void)fleet_result(fleet, node, ended.number, outcome_of(&ended));
	return 0;
}

int rollout_orders_resume(RolloutOrders *orders, Hub *hub, Fleet *fleet, int64_t now_us, Error *err)
{
	_cleanup_actions_ Actions pending = {0};
	int r = fleet_pending(fleet, &pending, err);

	for (size_t i = 0; r == 0 && i < pending.n; i++) {
		int64_t order = 0;

		r = order_of(hub->db, pending.list[i].number, &order, err);
		if (r == 0 && order)
			r = rollout_orders_ended(orders, hub, fleet, order, now_us, err);
	}
	return r;
}
