/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/audit.h"

#include "base/cleanup.h"
#include "base/json.h"

#define KEEP_S ((int64_t)366 * 24 * 3600)

int audit_add(Db *db, const AuditEntry *entry, Error *err)
{
	int r = db_begin(db, DB_DURABLE, err);

	if (r < 0)
		return r;
	r = db_run(db, NULL, err,
		   "INSERT INTO audit (at_s, who, method, path, refused) VALUES (?, ?, ?, ?, ?)",
		   "itttt", entry->at_s, entry->who, entry->method, entry->path, entry->refused);
	return db_end(db, r, err);
}

int audit_list(Db *db, int64_t n, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *list = json_object_new_array();
	sqlite3_stmt *row;
	int r = db_query(
		db, &row, err,
		"SELECT at_s, who, method, path, refused FROM audit ORDER BY id DESC LIMIT ?", "i",
		n);

	while (r >= 0 && (r = db_step(db, row, err)) > 0) {
		json_object *o = json_object_new_object();

		json_put_int(o, "at_s", sqlite3_column_int64(row, 0));
		json_put_string(o, "who", db_text(row, 1));
		json_put_string(o, "method", db_text(row, 2));
		json_put_string(o, "path", db_text(row, 3));
		json_put_string(o, "refused",
				sqlite3_column_type(row, 4) == SQLITE_NULL ? NULL
									   : db_text(row, 4));
		(void)json_object_array_add(list, o);
	}
	if (r < 0)
		return r;
	*ret = steal_ptr(&list);
	return 0;
}

int audit_prune(Db *db, int64_t now_s, Error *err)
{
	return db_run(db, NULL, err, "DELETE FROM audit WHERE at_s < ?", "i", now_s - KEEP_S);
}
