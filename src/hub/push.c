/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/push.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "fleet/relay_order.h"
#include "hub/order.h"

/* What is decided for the nodes that take part. */
typedef struct Push {
	const PushCase *given;
	json_object *nodes; /* array; those that take part */
	RelayNode *racks;   /* of each of them */
	RelayPlace *places; /* as well */
	size_t n;
	int stripes;
} Push;

static void push_release(Push *push)
{
	(void)json_object_put(push->nodes);
	free(push->racks);
	free(push->places);
}

static const char *name_of(json_object *node)
{
	return json_opt_string(node, "name", "");
}

/* ---- who takes part ---- */

static int nodes_sort(Db *db, json_object *nodes, Push *push, json_object *left_out, Error *err)
{
	for (size_t i = 0; i < json_length(nodes); i++) {
		json_object *node = json_object_array_get_idx(nodes, i), *other;
		Error why = {0};
		int64_t id = 0;
		int r = db_number(db, 0, &id, err, "SELECT id FROM nodes WHERE name = ?", "t",
				  name_of(node));

		if (r < 0)
			return r;
		r = order_check_none(db, id, &why);
		if (r == 0) {
			json_put_int(node, "id", id);
			(void)json_object_array_add(push->nodes, json_object_get(node));
			continue;
		}
		if (r != -EBUSY)
			return error_set(err, r, "%s", why.text);
		other = json_object_new_object();
		json_put_string(other, "node", name_of(node));
		json_put_string(other, "message", why.text);
		(void)json_object_array_add(left_out, other);
	}
	return 0;
}

/* ---- from whom ---- */

/* Racks are named; to the order it is only which are the same. */
static int rack_number(const Push *push, const char **racks, size_t n, const char *rack)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(racks[i], rack))
			return push->racks[i].rack;
	return (int)n;
}

static int places_find(Push *push, Error *err)
{
	_cleanup_free_ const char **racks = NULL;

	push->n = json_length(push->nodes);
	push->racks = calloc(push->n + 1, sizeof(*push->racks));
	push->places = calloc(push->n + 1, sizeof(*push->places));
	racks = calloc(push->n + 1, sizeof(*racks));
	if (!push->racks || !push->places || !racks)
		return error_errno(err, -ENOMEM, "Ordering nodes");
	for (size_t i = 0; i < push->n; i++) {
		json_object *node = json_object_array_get_idx(push->nodes, i), *labels = NULL;
		bool online = !strcmp(json_opt_string(node, "state", ""), "online");

		(void)json_object_object_get_ex(node, "labels", &labels);
		racks[i] = json_opt_string(labels, "rack", "");
		push->racks[i].rack = rack_number(push, racks, i, racks[i]);
		push->racks[i].health = online ? RELAY_GOOD : RELAY_DEAD;
	}
	push->stripes = relay_stripes(push->n);
	return relay_order(push->racks, push->n, push->stripes, push->places, err);
}

static json_object *parent_json(const Push *push, int parent)
{
	json_object *o = json_object_new_object();

	if (parent == RELAY_HUB) {
		json_put_int(o, "port", push->given->ports.hub);
		return o;
	}
	json_put_string(o, "address",
			json_opt_string(json_object_array_get_idx(push->nodes, (size_t)parent),
					"address", ""));
	json_put_int(o, "port", push->given->ports.node);
	return o;
}

/* A node that is not there now gets it from the hub, when it comes. */
static json_object *stripes_json(const Push *push, const RelayPlace *place)
{
	json_object *stripes = json_object_new_array();

	for (int i = 0; i < push->stripes; i++) {
		json_object *parents = json_object_new_array();

		for (int j = 0; j < place->n_parents[i]; j++)
			(void)json_object_array_add(parents,
						    parent_json(push, place->parents[i][j]));
		if (place->n_parents[i] == 0)
			(void)json_object_array_add(parents, parent_json(push, RELAY_HUB));
		(void)json_object_array_add(stripes, parents);
	}
	return stripes;
}

/* ---- orders ---- */

static int order_give(Db *db, const Push *push, size_t i, int64_t now_s, json_object *orders,
		      Error *err)
{
	json_object *node = json_object_array_get_idx(push->nodes, i), *told;
	_cleanup_json_ json_object *body = json_object_new_object();
	int64_t node_id = json_opt_int(node, "id", 0), id = 0;
	int r;

	json_put_string(body, "release", push->given->release);
	(void)json_object_object_add(body, "stripes", stripes_json(push, &push->places[i]));
	r = push->given->dry_run ? 0 : order_insert(db, node_id, "fetch", body, now_s, &id, err);
	if (r < 0)
		return r;
	told = json_object_new_object();
	json_put_string(told, "node", name_of(node));
	json_put_int(told, "id", node_id);
	json_put_int(told, "order", id);
	return json_object_array_add(orders, told);
}

static int orders_give(Db *db, const Push *push, int64_t now_s, json_object *orders, Error *err)
{
	int r = db_begin(db, DB_DURABLE, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < push->n; i++)
		r = order_give(db, push, i, now_s, orders, err);
	return db_end(db, r, err);
}

int push_order(Db *db, const PushCase *given, int64_t now_s, json_object **ret, Error *err)
{
	_cleanup_(push_release) Push push = {.given = given, .nodes = json_object_new_array()};
	_cleanup_json_ json_object *orders = json_object_new_array();
	_cleanup_json_ json_object *left_out = json_object_new_array();
	int r;

	if ((r = nodes_sort(db, given->nodes, &push, left_out, err)) < 0 ||
	    (r = places_find(&push, err)) < 0 ||
	    (r = orders_give(db, &push, now_s, orders, err)) < 0)
		return r;
	*ret = json_object_new_object();
	json_put_string(*ret, "release", given->release);
	(void)json_object_object_add(*ret, "orders", steal_ptr(&orders));
	(void)json_object_object_add(*ret, "left_out", steal_ptr(&left_out));
	return 0;
}

int push_list(Db *db, const char *release, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *list = json_object_new_array();
	sqlite3_stmt *row;
	int r = db_query(
		db, &row, err,
		"SELECT n.name, o.id, o.state, o.message, o.created_s, o.finished_s FROM nodes n "
		"JOIN orders o ON o.id = (SELECT max(id) FROM orders WHERE node = n.id AND kind = "
		"'fetch' AND json_extract(body, '$.release') = ?) ORDER BY n.name",
		"t", release);

	while (r >= 0 && (r = db_step(db, row, err)) > 0) {
		json_object *o = json_object_new_object();

		json_put_string(o, "node", db_text(row, 0));
		json_put_int(o, "order", sqlite3_column_int64(row, 1));
		json_put_string(o, "state", db_text(row, 2));
		json_put_string(o, "message", db_text(row, 3));
		json_put_int(o, "created_s", sqlite3_column_int64(row, 4));
		if (sqlite3_column_type(row, 5) != SQLITE_NULL)
			json_put_int(o, "finished_s", sqlite3_column_int64(row, 5));
		(void)json_object_array_add(list, o);
	}
	if (r < 0)
		return r;
	*ret = steal_ptr(&list);
	return 0;
}
