/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/channel.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"

int channel_get(Db *db, const char *name, char ret[DOCUMENT_NAME_MAX + 1], Error *err)
{
	sqlite3_stmt *row;
	int r = db_query(db, &row, err, "SELECT release FROM channels WHERE name = ?", "t", name);

	ret[0] = '\0';
	if (r < 0 || (r = db_step(db, row, err)) <= 0)
		return r;
	(void)strncat(ret, db_text(row, 0), DOCUMENT_NAME_MAX);
	(void)sqlite3_reset(row);
	return 0;
}

int channel_set(Db *db, const Catalog *catalog, const char *name, const char *release,
		int64_t now_s, Error *err)
{
	_cleanup_json_ json_object *next = NULL, *current = NULL;
	char offered[DOCUMENT_NAME_MAX + 1];
	int64_t version;
	int r;

	if ((r = catalog_describe(catalog, release, &next, err)) < 0 ||
	    (r = channel_get(db, name, offered, err)) < 0)
		return r;
	if (strcmp(json_opt_string(next, "channel", ""), name) != 0)
		return error_set(err, -ESTALE, "Release %s is of channel %s, not of %.128s",
				 release, json_opt_string(next, "channel", ""), name);
	version = json_opt_int(next, "version", 0);
	if (*offered && catalog_describe(catalog, offered, &current, NULL) == 0 &&
	    json_opt_int(current, "version", 0) > version)
		return error_set(
			err, -ESTALE,
			"Channel %s offers %s of version %lld; nodes would refuse %s, which "
			"has %lld: make a release of a higher version from it",
			name, offered, (long long)json_opt_int(current, "version", 0), release,
			(long long)version);
	return db_run(db, NULL, err,
		      "INSERT INTO channels (name, release, set_s) VALUES (?1, ?2, ?3) ON CONFLICT "
		      "(name) DO UPDATE SET release = ?2, set_s = ?3",
		      "tti", name, release, now_s);
}

int channel_remove(Db *db, const char *name, Error *err)
{
	int changed = 0;
	int r = db_run(db, &changed, err, "DELETE FROM channels WHERE name = ?", "t", name);

	if (r < 0)
		return r;
	return changed ? 0 : error_set(err, -ENOENT, "There is no channel %.128s", name);
}

int channel_list(Db *db, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *list = json_object_new_array();
	sqlite3_stmt *row;
	int r = db_query(db, &row, err, "SELECT name, release, set_s FROM channels ORDER BY name",
			 "");

	while (r >= 0 && (r = db_step(db, row, err)) > 0) {
		json_object *o = json_object_new_object();

		json_put_string(o, "name", db_text(row, 0));
		json_put_string(o, "release", db_text(row, 1));
		json_put_int(o, "set_s", sqlite3_column_int64(row, 2));
		(void)json_object_array_add(list, o);
	}
	if (r < 0)
		return r;
	*ret = steal_ptr(&list);
	return 0;
}

int channel_check_unused(Db *db, const char *release, Error *err)
{
	int64_t n = 0;
	int r = db_number(db, 0, &n, err, "SELECT count(*) FROM channels WHERE release = ?", "t",
			  release);

	if (r == 0 && n > 0)
		r = error_set(err, -EBUSY,
			      "A channel offers release %s; set the channel to another one first",
			      release);
	return r;
}
