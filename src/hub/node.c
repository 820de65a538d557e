/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/node.h"

#include <errno.h>

#include "base/json.h"
#include "hub/credential.h"

#define ONLINE_S 30 /* as long after it was heard from, a node counts as there */

int node_add(Db *db, const char *name, json_object *labels, const char *address, int64_t now_s,
	     int64_t *ret_id, Error *err)
{
	int r = db_run(db, NULL, err,
		       "INSERT INTO nodes (name, labels, address, enrolled_s) VALUES (?, ?, ?, ?)",
		       "ttti", name, json_object_to_json_string_ext(labels, JSON_C_TO_STRING_PLAIN),
		       address, now_s);

	if (r == -EEXIST)
		return error_set(err, -EEXIST,
				 "There is a node %s already; if it is to be replaced, run: segue "
				 "node revoke %s; else join with --name",
				 name, name);
	if (r == 0)
		*ret_id = db_last_id(db);
	return r;
}

int node_find(Db *db, const char *name, int64_t *ret_id, Error *err)
{
	int64_t id = 0;
	int r = db_number(db, 0, &id, err, "SELECT id FROM nodes WHERE name = ?", "t", name);

	if (r < 0)
		return r;
	if (id == 0)
		return error_set(err, -ENOENT, "There is no node %.128s; segue nodes lists them",
				 name);
	*ret_id = id;
	return 0;
}

int node_remove(Db *db, int64_t id, int64_t now_s, Error *err)
{
	int r = db_begin(db, DB_DURABLE, err);

	if (r < 0)
		return r;
	r = credential_revoke_node(db, id, now_s, err);
	if (r == 0)
		r = db_run(db, NULL, err, "DELETE FROM nodes WHERE id = ?", "i", id);
	return db_end(db, r, err);
}

int node_seen(Db *db, int64_t id, const char *address, int64_t now_s, Error *err)
{
	int r = db_begin(db, DB_RELAXED, err);

	if (r < 0)
		return r;
	r = db_run(db, NULL, err, "UPDATE nodes SET seen_s = ?, address = ? WHERE id = ?", "iti",
		   now_s, address, id);
	return db_end(db, r, err);
}

int node_report(Db *db, int64_t id, json_object *report, int64_t now_s, Error *err)
{
	int r = db_begin(db, DB_RELAXED, err);

	if (r < 0)
		return r;
	r = db_run(db, NULL, err,
		   "UPDATE nodes SET report = ?, report_s = ?, seen_s = ? WHERE id = ?", "tiii",
		   json_object_to_json_string_ext(report, JSON_C_TO_STRING_PLAIN), now_s, now_s,
		   id);
	return db_end(db, r, err);
}

static void put_time(json_object *o, const char *key, sqlite3_stmt *row, int column)
{
	if (sqlite3_column_type(row, column) != SQLITE_NULL)
		json_put_int(o, key, sqlite3_column_int64(row, column));
}

static json_object *node_describe(sqlite3_stmt *row, int64_t now_s, bool waiting)
{
	json_object *o = json_object_new_object();
	bool seen = sqlite3_column_type(row, 5) != SQLITE_NULL;
	bool online = waiting || (seen && now_s - sqlite3_column_int64(row, 5) < ONLINE_S);

	json_put_string(o, "name", db_text(row, 1));
	(void)json_object_object_add(o, "labels", json_tokener_parse(db_text(row, 2)));
	json_put_string(o, "address", db_text(row, 3));
	json_put_string(o, "state", online ? "online" : seen ? "offline" : "never");
	put_time(o, "enrolled_s", row, 4);
	put_time(o, "seen_s", row, 5);
	put_time(o, "report_s", row, 7);
	put_time(o, "expires_s", row, 8);
	if (sqlite3_column_type(row, 6) != SQLITE_NULL)
		(void)json_object_object_add(o, "report", json_tokener_parse(db_text(row, 6)));
	return o;
}

int node_list(Db *db, const char *name, int64_t now_s, NodeIsWaiting *is_waiting, void *data,
	      json_object **ret, Error *err)
{
	_cleanup_json_ json_object *list = json_object_new_array();
	sqlite3_stmt *row;
	int r = db_query(db, &row, err,
			 "SELECT id, name, labels, address, enrolled_s, seen_s, report, report_s, "
			 "(SELECT max(expires_s) FROM certificates c WHERE c.node = nodes.id) FROM "
			 "nodes WHERE ?1 IS NULL OR name = ?1 ORDER BY name",
			 "t", name);

	while (r >= 0 && (r = db_step(db, row, err)) > 0)
		(void)json_object_array_add(
			list,
			node_describe(row, now_s, is_waiting(sqlite3_column_int64(row, 0), data)));
	if (r < 0)
		return r;
	*ret = steal_ptr(&list);
	return 0;
}
