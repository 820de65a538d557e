/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hub's state: one SQLite database in its state directory, and the one hub that may use it.
 *
 * The database holds the key of the certificate authority, so it is its owner's alone.  Errors:
 * -EBUSY: another hub works with it; -EAGAIN: another process has locked it; -EUCLEAN: it is
 * damaged; -EBADMSG: it is not a hub's; -EPROTO: it is that of a newer segue; -EIO, -ENOSPC,
 * -ENOMEM, -EROFS.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define DB_FILE "hub.db"

typedef struct Db Db;

/* Opens the database of a state directory for the one that works with it, until db_close(), and
 * brings an older one up to date.  -ENOENT: there is none; segue hub init makes one. */
int db_open(const char *directory, Db **ret, Error *err);

/* Makes the directory, if it is missing, and an empty database.  -EEXIST: there is one. */
int db_create(const char *directory, Db **ret, Error *err);

/* A database in memory: as a new one. */
int db_open_memory(Db **ret, Error *err);

void db_close(Db *db);
static inline void cleanup_db(Db **db)
{
	db_close(*db);
}
#define _cleanup_db_ __attribute__((cleanup(cleanup_db)))

int64_t db_size(Db *db); /* bytes */
int db_schema_version(void);

/* Writes a copy of the database as of now to a new file, for its owner only.  -EEXIST. */
int db_copy(Db *db, const char *path, Error *err);

/* Keeps hubs away from a state directory for as long as the descriptor is open.  -EBUSY. */
int db_lock(const char *directory, int *ret_fd, Error *err);

/* Looks whether a file holds a hub's whole, undamaged database of this or an older version. */
int db_check_file(const char *path, Error *err);

/*
 * A transaction.  Either is on the medium when db_commit() returns 0, except with DB_RELAXED: after
 * a loss of power, though not of the process, what was committed last may be missing.
 */
typedef enum DbMode {
	DB_DURABLE,
	DB_RELAXED, /* for what nodes tell again */
} DbMode;

int db_begin(Db *db, DbMode mode, Error *err);
int db_commit(Db *db, Error *err);
void db_rollback(Db *db); /* nothing if none is under way */

/* Ends what db_begin() has begun: commits if `r` is not negative, else rolls back.  Returns `r`, or
 * what the commit returned. */
int db_end(Db *db, int r, Error *err);

/* ---- several databases with the same content, see replica.h ---- */

/* Is given what a durable transaction has changed before it is committed; a failure rolls it back.
 * NULL: nobody is. */
typedef int DbPublish(void *data, const void *changes, size_t size, Error *err);
void db_set_publish(Db *db, DbPublish *publish, void *data);

/* Makes changes that another database's transaction has made; this is transaction `number`. */
int db_apply(Db *db, const void *changes, size_t size, int64_t number, Error *err);

/* Which state it is (""; of one hub alone), and the number of its last transaction. */
int db_replica_get(Db *db, char *ret_cluster, size_t room, int64_t *ret_applied, Error *err);
int db_replica_set(Db *db, const char *cluster, int64_t applied, Error *err);

const char *db_path(const Db *db);

/*
 * A statement of `sql`, which lives as long as the database and is prepared once.  `types` are
 * those of the values that follow: i int64_t, t text (NULL: null), b const void * and size_t.
 * Between two calls for the same text it must have been stepped to its end or reset.
 */
int db_query(Db *db, sqlite3_stmt **ret, Error *err, const char *sql, const char *types, ...);

/* The next row: 1, or 0 if there is none any more; then it is reset. */
int db_step(Db *db, sqlite3_stmt *statement, Error *err);

/* A statement without rows, and how many it changed (NULL: nobody wants to know).  -EEXIST: it
 * would break a rule of uniqueness. */
int db_run(Db *db, int *ret_changed, Error *err, const char *sql, const char *types, ...);

/* The one number that a query gives; `fallback` if it has no row. */
int db_number(Db *db, int64_t fallback, int64_t *ret, Error *err, const char *sql,
	      const char *types, ...);

int64_t db_last_id(Db *db); /* of the row that was inserted last */

/* A column of the row that is there: text, or "" for null; valid until the next step. */
const char *db_text(sqlite3_stmt *statement, int column);
