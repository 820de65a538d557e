/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/credential.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"

int credential_add(Db *db, const Serial *serial, int64_t node, const char *holder,
		   int64_t expires_s, Error *err)
{
	if (node)
		return db_run(db, NULL, err,
			      "INSERT INTO certificates (serial, node, expires_s) VALUES (?, ?, ?)",
			      "bii", serial->bytes, serial->size, node, expires_s);
	return db_run(db, NULL, err,
		      "INSERT INTO certificates (serial, operator, expires_s) VALUES (?, ?, ?)",
		      "bti", serial->bytes, serial->size, holder, expires_s);
}

static void caller_read(sqlite3_stmt *row, Caller *ret)
{
	const char *name;

	*ret = (Caller){.role = CALLER_OPERATOR, .expires_s = sqlite3_column_int64(row, 2)};
	if (sqlite3_column_type(row, 0) != SQLITE_NULL) {
		ret->role = CALLER_NODE;
		ret->node = sqlite3_column_int64(row, 0);
	}
	name = db_text(row, 1);
	(void)strncat(ret->name, name, sizeof(ret->name) - 1);
}

int credential_find(Db *db, const Serial *serial, Caller *ret, Error *err)
{
	bool revoked;
	sqlite3_stmt *row;
	int r = db_query(
		db, &row, err,
		"SELECT c.node, coalesce(n.name, c.operator), c.expires_s, c.revoked_s "
		"FROM certificates c LEFT JOIN nodes n ON n.id = c.node WHERE c.serial = ?",
		"b", serial->bytes, serial->size);

	if (r < 0 || (r = db_step(db, row, err)) < 0)
		return r;
	if (r == 0)
		return error_set(err, -EKEYREJECTED,
				 "The certificate %s is not known to this hub; segue join with a "
				 "token gets a new one",
				 serial_text(serial).text);
	revoked = sqlite3_column_type(row, 3) != SQLITE_NULL;
	if (!revoked)
		caller_read(row, ret);
	(void)sqlite3_reset(row);
	return revoked ? error_set(err, -EKEYREJECTED,
				   "The certificate %s was revoked; segue join with a token gets a "
				   "new one",
				   serial_text(serial).text)
		       : 0;
}

int credential_check_time(const Caller *caller, int64_t now_s, bool renewing, Error *err)
{
	int64_t grace_s = caller->role == CALLER_NODE ? AUTHORITY_GRACE_S : 0;

	if (now_s < caller->expires_s || (renewing && now_s - caller->expires_s < grace_s))
		return 0;
	return error_set(err, -EKEYREJECTED, "The certificate of %s expired on %s; %s",
			 caller->name, time_text(caller->expires_s).text,
			 caller->role == CALLER_OPERATOR ? "segue hub operator makes a new one"
			 : renewing ? "that is too long ago to renew it: segue join with a token "
				      "gets a new one"
				    : "it must be renewed first");
}

int credential_revoke_node(Db *db, int64_t node, int64_t now_s, Error *err)
{
	return db_run(db, NULL, err,
		      "UPDATE certificates SET revoked_s = ? WHERE node = ? AND revoked_s IS NULL",
		      "ii", now_s, node);
}

int credential_revoke_operator(Db *db, const char *name, int64_t now_s, int *ret_n, Error *err)
{
	return db_run(db, ret_n, err,
		      "UPDATE certificates SET revoked_s = ? WHERE operator = ? AND revoked_s IS "
		      "NULL AND expires_s > ?",
		      "iti", now_s, name, now_s);
}

int credential_revocations(Db *db, int64_t now_s, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *list = json_object_new_array();
	sqlite3_stmt *row;
	int r = db_query(db, &row, err,
			 "SELECT lower(hex(serial)) FROM certificates WHERE revoked_s IS NOT NULL "
			 "AND expires_s > ? ORDER BY serial",
			 "i", now_s);

	while (r >= 0 && (r = db_step(db, row, err)) > 0)
		(void)json_object_array_add(list, json_object_new_string(db_text(row, 0)));
	if (r < 0)
		return r;
	*ret = steal_ptr(&list);
	return 0;
}

int credential_operators(Db *db, int64_t now_s, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *list = json_object_new_array();
	sqlite3_stmt *row;
	int r = db_query(db, &row, err,
			 "SELECT operator, max(expires_s) FROM certificates WHERE operator IS NOT "
			 "NULL AND revoked_s IS NULL AND expires_s > ? GROUP BY operator ORDER BY "
			 "operator",
			 "i", now_s);

	while (r >= 0 && (r = db_step(db, row, err)) > 0) {
		json_object *o = json_object_new_object();

		json_put_string(o, "name", db_text(row, 0));
		json_put_int(o, "expires_s", sqlite3_column_int64(row, 1));
		(void)json_object_array_add(list, o);
	}
	if (r < 0)
		return r;
	*ret = steal_ptr(&list);
	return 0;
}

int credential_prune(Db *db, int64_t now_s, Error *err)
{
	return db_run(db, NULL, err, "DELETE FROM certificates WHERE expires_s < ?", "i",
		      now_s - AUTHORITY_GRACE_S);
}
