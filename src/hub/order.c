/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/order.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"

#define LIST_MAX 10
#define KEEP_S   ((int64_t)90 * 24 * 3600)

static const char *const state_names[] = {
	[ORDER_RUNNING] = "running",
	[ORDER_DONE] = "done",
	[ORDER_FAILED] = "failed",
};

int order_state_parse(const char *name, OrderState *ret, Error *err)
{
	for (size_t i = 0; name && i < sizeof(state_names) / sizeof(*state_names); i++) {
		if (!strcmp(name, state_names[i])) {
			*ret = (OrderState)i;
			return 0;
		}
	}
	return error_set(err, -EINVAL, "\"state\" must be running, done or failed");
}

int order_check_none(Db *db, int64_t node, Error *err)
{
	int64_t open = 0;
	int r = db_number(db, 0, &open, err,
			  "SELECT id FROM orders WHERE node = ? AND finished_s IS NULL", "i", node);

	if (r == 0 && open)
		r = error_set(err, -EBUSY,
			      "Order %lld to this node is not finished; segue node show tells how "
			      "far it is, segue node cancel calls it off",
			      (long long)open);
	return r;
}

int order_insert(Db *db, int64_t node, const char *kind, json_object *body, int64_t now_s,
		 int64_t *ret_id, Error *err)
{
	int r = db_run(db, NULL, err,
		       "INSERT INTO orders (node, kind, body, created_s) VALUES (?, ?, ?, ?)",
		       "itti", node, kind,
		       json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN), now_s);

	if (r == 0)
		*ret_id = db_last_id(db);
	return r;
}

int order_add(Db *db, int64_t node, const char *kind, json_object *body, int64_t now_s,
	      int64_t *ret_id, Error *err)
{
	int r = db_begin(db, DB_DURABLE, err);

	if (r < 0)
		return r;
	r = order_check_none(db, node, err);
	if (r == 0)
		r = order_insert(db, node, kind, body, now_s, ret_id, err);
	return db_end(db, r, err);
}

static json_object *order_read(sqlite3_stmt *row)
{
	json_object *o = json_tokener_parse(db_text(row, 2));

	if (!o)
		o = json_object_new_object();
	json_put_int(o, "id", sqlite3_column_int64(row, 0));
	json_put_string(o, "kind", db_text(row, 1));
	return o;
}

static int orders_collect(Db *db, int64_t node, int64_t after, json_object *list, Error *err)
{
	sqlite3_stmt *row;
	int r = db_query(db, &row, err,
			 "SELECT id, kind, body FROM orders WHERE node = ? AND id > ? AND "
			 "finished_s IS NULL ORDER BY id",
			 "ii", node, after);

	while (r >= 0 && (r = db_step(db, row, err)) > 0)
		(void)json_object_array_add(list, order_read(row));
	return r;
}

int order_fetch(Db *db, int64_t node, int64_t after, int64_t now_s, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *list = json_object_new_array();
	int r = orders_collect(db, node, after, list, err);

	if (r == 0 && json_length(list) > 0) {
		/* What is not noted is sent again: no harm. */
		r = db_begin(db, DB_RELAXED, err);
		if (r < 0)
			return r;
		r = db_run(db, NULL, err,
			   "UPDATE orders SET state = 'sent', sent_s = ? WHERE node = ? AND id > ? "
			   "AND state = 'queued'",
			   "iii", now_s, node, after);
		r = db_end(db, r, err);
	}
	if (r < 0)
		return r;
	*ret = steal_ptr(&list);
	return 0;
}

/* Why an order could not be changed. */
static int order_refuse(Db *db, int64_t node, int64_t id, Error *err)
{
	_cleanup_json_ json_object *list = NULL;
	int r = order_list(db, node, id, &list, err);

	if (r < 0)
		return r;
	if (json_length(list) == 0)
		return error_set(err, -ENOENT, "This node has no order %lld", (long long)id);
	return error_set(err, -EEXIST, "Order %lld is final: %s", (long long)id,
			 json_opt_string(json_object_array_get_idx(list, 0), "state", ""));
}

int order_result(Db *db, int64_t node, int64_t id, OrderState state, const char *message,
		 int64_t now_s, Error *err)
{
	const char *name = state_names[state];
	/* How far it is, is told again. */
	int changed = 0, r = db_begin(db, state == ORDER_RUNNING ? DB_RELAXED : DB_DURABLE, err);

	if (r < 0)
		return r;
	if (state == ORDER_RUNNING)
		r = db_run(db, &changed, err,
			   "UPDATE orders SET state = ?, message = ? WHERE node = ? AND id = ? AND "
			   "finished_s IS NULL",
			   "ttii", name, message, node, id);
	else
		r = db_run(
			db, &changed, err,
			"UPDATE orders SET state = ?1, message = ?2, finished_s = "
			"coalesce(finished_s, ?3) WHERE node = ?4 AND id = ?5 AND (finished_s IS "
			"NULL OR state = ?1)",
			"ttiii", name, message, now_s, node, id);
	r = db_end(db, r, err);
	if (r < 0)
		return r;
	return changed ? 0 : order_refuse(db, node, id, err);
}

int order_cancel(Db *db, int64_t node, int64_t id, int64_t now_s, Error *err)
{
	int changed = 0, r = db_begin(db, DB_DURABLE, err);

	if (r < 0)
		return r;
	r = db_run(
		db, &changed, err,
		"UPDATE orders SET state = 'cancelled', finished_s = ? WHERE node = ? AND id = ? "
		"AND finished_s IS NULL",
		"iii", now_s, node, id);
	r = db_end(db, r, err);
	if (r < 0)
		return r;
	return changed ? 0 : order_refuse(db, node, id, err);
}

int order_list(Db *db, int64_t node, int64_t id, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *list = json_object_new_array();
	sqlite3_stmt *row;
	int r = db_query(
		db, &row, err,
		"SELECT id, kind, body, state, message, created_s, sent_s, finished_s FROM "
		"orders WHERE node = ?1 AND (?2 = 0 OR id = ?2) ORDER BY id DESC LIMIT ?3",
		"iii", node, id, (int64_t)LIST_MAX);

	while (r >= 0 && (r = db_step(db, row, err)) > 0) {
		json_object *o = order_read(row);

		json_put_string(o, "state", db_text(row, 3));
		json_put_string(o, "message", db_text(row, 4));
		json_put_int(o, "created_s", sqlite3_column_int64(row, 5));
		if (sqlite3_column_type(row, 6) != SQLITE_NULL)
			json_put_int(o, "sent_s", sqlite3_column_int64(row, 6));
		if (sqlite3_column_type(row, 7) != SQLITE_NULL)
			json_put_int(o, "finished_s", sqlite3_column_int64(row, 7));
		(void)json_object_array_add(list, o);
	}
	if (r < 0)
		return r;
	*ret = steal_ptr(&list);
	return 0;
}

int order_count_open(Db *db, int64_t *ret, Error *err)
{
	return db_number(db, 0, ret, err, "SELECT count(*) FROM orders WHERE finished_s IS NULL",
			 "");
}

int order_prune(Db *db, int64_t now_s, Error *err)
{
	return db_run(db, NULL, err, "DELETE FROM orders WHERE finished_s < ?", "i",
		      now_s - KEEP_S);
}
