/* SPDX-License-Identifier: Apache-2.0 */
/* For the session extension, which Debian's library has. */
#define SQLITE_ENABLE_SESSION        1
#define SQLITE_ENABLE_PREUPDATE_HOOK 1

#include "hub/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "hub/schema.h"

#define BUSY_WAIT_MS   2000
#define STATEMENTS_MAX 96

typedef struct Statement {
	const char *sql; /* a constant: told apart by address */
	sqlite3_stmt *prepared;
} Statement;

struct Db {
	sqlite3 *sqlite;
	char *path;
	int lock_fd; /* -1: none is needed */
	DbMode mode;
	Statement statements[STATEMENTS_MAX];
	size_t n_statements;
	DbPublish *publish;
	void *publish_data;
	sqlite3_session *session; /* of the transaction under way; NULL: it is not published */
};

static const struct {
	int result, code;
	const char *hint;
} results[] = {
	{SQLITE_BUSY, -EAGAIN, "another process has locked it; end that, and try again"},
	{SQLITE_LOCKED, -EAGAIN, "another process has locked it; end that, and try again"},
	{SQLITE_CORRUPT, -EUCLEAN, "it is damaged; segue hub restore takes a backup"},
	{SQLITE_NOTADB, -EUCLEAN, "it is damaged; segue hub restore takes a backup"},
	{SQLITE_FULL, -ENOSPC, "make room on its filesystem"},
	{SQLITE_NOMEM, -ENOMEM, NULL},
	{SQLITE_READONLY, -EROFS, "it must be its owner's, who runs the hub, and writable"},
	{SQLITE_CANTOPEN, -EACCES, "it must be its owner's, who runs the hub, and readable"},
	{SQLITE_PERM, -EACCES, "it must be its owner's, who runs the hub, and readable"},
	{SQLITE_CONSTRAINT, -EEXIST, NULL},
};

static int sqlite_failed(sqlite3 *sqlite, const char *path, Error *err)
{
	int result = sqlite3_errcode(sqlite) & 0xff;

	for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++) {
		if (results[i].result != result)
			continue;
		(void)error_set(err, results[i].code, "The database %s: %s", path,
				sqlite3_errmsg(sqlite));
		if (results[i].hint)
			(void)error_hint(err, "%s", results[i].hint);
		return results[i].code;
	}
	return error_set(err, -EIO, "The database %s: %s", path, sqlite3_errmsg(sqlite));
}

static int db_failed(Db *db, Error *err)
{
	return sqlite_failed(db->sqlite, db->path, err);
}

static int sqlite_execute(sqlite3 *sqlite, const char *path, const char *sql, Error *err)
{
	return sqlite3_exec(sqlite, sql, NULL, NULL, NULL) == SQLITE_OK
		       ? 0
		       : sqlite_failed(sqlite, path, err);
}

static int sqlite_pragma(sqlite3 *sqlite, const char *path, const char *sql, int64_t *ret,
			 Error *err)
{
	sqlite3_stmt *statement = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(sqlite, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		*ret = sqlite3_column_int64(statement, 0);
	else
		r = sqlite_failed(sqlite, path, err);
	(void)sqlite3_finalize(statement);
	return r;
}

int db_schema_version(void)
{
	int version = 0;

	while (schema_steps[version])
		version++;
	return version;
}

/* Whether a database is a hub's, and of which version; 0: it is empty. */
static int schema_identify(sqlite3 *sqlite, const char *path, int64_t *ret_version, Error *err)
{
	int64_t application = 0, version = 0, tables = 0;
	int r;

	if ((r = sqlite_pragma(sqlite, path, "PRAGMA application_id", &application, err)) < 0 ||
	    (r = sqlite_pragma(sqlite, path, "PRAGMA user_version", &version, err)) < 0 ||
	    (r = sqlite_pragma(sqlite, path, "SELECT count(*) FROM sqlite_schema", &tables, err)) <
		    0)
		return r;
	if (application != SCHEMA_APPLICATION_ID && (application || version || tables))
		return error_set(err, -EBADMSG, "The database %s is not that of a hub", path);
	if (version > db_schema_version())
		return error_set(err, -EPROTO,
				 "The database %s is of version %lld, made by a newer segue; this "
				 "one knows %d: install the newer one, or restore a backup that is "
				 "older",
				 path, (long long)version, db_schema_version());
	*ret_version = version;
	return 0;
}

static int schema_upgrade(sqlite3 *sqlite, const char *path, Error *err)
{
	int64_t version;
	int r = schema_identify(sqlite, path, &version, err);

	if (r < 0)
		return r;
	for (; r == 0 && version < db_schema_version(); version++) {
		_cleanup_free_ char *sql = text_format(
			"BEGIN IMMEDIATE; %s PRAGMA application_id = %d; PRAGMA "
			"user_version = %lld; COMMIT",
			schema_steps[version], SCHEMA_APPLICATION_ID, (long long)version + 1);

		if (!sql)
			return error_errno(err, -ENOMEM, "Upgrading %s", path);
		r = sqlite_execute(sqlite, path, sql, err);
		if (r < 0)
			(void)sqlite3_exec(sqlite, "ROLLBACK", NULL, NULL, NULL);
	}
	return r;
}

void db_close(Db *db)
{
	if (!db)
		return;
	if (db->session)
		sqlite3session_delete(db->session);
	for (size_t i = 0; i < db->n_statements; i++)
		(void)sqlite3_finalize(db->statements[i].prepared);
	(void)sqlite3_close(db->sqlite);
	cleanup_close(&db->lock_fd);
	free(db->path);
	free(db);
}

static int db_new(const char *path, Db **ret, Error *err)
{
	Db *db = calloc(1, sizeof(*db));

	if (!db)
		return error_errno(err, -ENOMEM, "Opening %s", path);
	db->lock_fd = -1;
	db->path = strdup(path);
	if (!db->path) {
		free(db);
		return error_errno(err, -ENOMEM, "Opening %s", path);
	}
	*ret = db;
	return 0;
}

/* quick_check reads all of it: a file that was cut off is found now and not in the middle of work.
 */
static int sqlite_check(sqlite3 *sqlite, const char *path, Error *err)
{
	sqlite3_stmt *statement = NULL;
	const char *found = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(sqlite, "PRAGMA quick_check(1)", -1, &statement, NULL) !=
		    SQLITE_OK ||
	    sqlite3_step(statement) != SQLITE_ROW)
		r = sqlite_failed(sqlite, path, err);
	else if ((found = (const char *)sqlite3_column_text(statement, 0)), !found)
		r = error_errno(err, -ENOMEM, "Checking %s", path);
	else if (strcmp(found, "ok") != 0)
		r = error_set(err, -EUCLEAN,
			      "The database %s: %.200s; it is damaged; segue hub restore takes a "
			      "backup",
			      path, found);
	(void)sqlite3_finalize(statement);
	return r;
}

static int db_connect(Db *db, int flags, Error *err)
{
	static const char settings[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
				       "PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON";
	int r;

	if (sqlite3_open_v2(db->path, &db->sqlite, flags | SQLITE_OPEN_EXRESCODE, NULL) !=
	    SQLITE_OK)
		return db->sqlite ? db_failed(db, err)
				  : error_errno(err, -ENOMEM, "Opening %s", db->path);
	(void)sqlite3_busy_timeout(db->sqlite, BUSY_WAIT_MS);
	if ((r = sqlite_check(db->sqlite, db->path, err)) < 0 ||
	    (r = sqlite_execute(db->sqlite, db->path, settings, err)) < 0)
		return r;
	return schema_upgrade(db->sqlite, db->path, err);
}

/* The kernel takes the lock back when the process ends, however it does. */
int db_lock(const char *directory, int *ret_fd, Error *err)
{
	_cleanup_free_ char *path = text_format("%s/lock", directory);
	_cleanup_close_ int fd = -1;

	if (!path)
		return error_errno(err, -ENOMEM, "Locking %s", directory);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_errno(err, -errno, "Opening %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? error_set(err, -EBUSY,
					   "Another hub works with %s; systemctl stop segue-hub "
					   "stops it",
					   directory)
			       : error_errno(err, -errno, "Locking %s", path);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int db_open_directory(const char *directory, bool create, Db **ret, Error *err)
{
	_cleanup_free_ char *path = text_format("%s/" DB_FILE, directory);
	_cleanup_db_ Db *db = NULL;
	struct stat st;
	int fd, r;

	if (!path)
		return error_errno(err, -ENOMEM, "Opening %s", directory);
	if ((create && (r = directory_make(AT_FDCWD, directory, 0700, err)) < 0) ||
	    (r = db_new(path, &db, err)) < 0)
		return r;
	if (!create && stat(path, &st) < 0)
		return errno == ENOENT
			       ? error_set(err, -ENOENT,
					   "There is no hub in %s; segue hub init makes one",
					   directory)
			       : error_errno(err, -errno, "Opening %s", path);
	if ((r = db_lock(directory, &db->lock_fd, err)) < 0)
		return r;
	if (create) {
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			return errno == EEXIST
				       ? error_set(err, -EEXIST, "There is a hub in %s already",
						   directory)
				       : error_errno(err, -errno, "Making %s", path);
		(void)close(fd);
	} else if (st.st_size == 0) {
		return error_set(err, -EUCLEAN,
				 "The database %s is empty; segue hub restore takes a backup",
				 path);
	}
	r = db_connect(db, SQLITE_OPEN_READWRITE, err);
	if (r < 0 && create)
		(void)unlink(path);
	if (r == 0)
		*ret = steal_ptr(&db);
	return r;
}

int db_open(const char *directory, Db **ret, Error *err)
{
	return db_open_directory(directory, false, ret, err);
}

int db_create(const char *directory, Db **ret, Error *err)
{
	return db_open_directory(directory, true, ret, err);
}

int db_open_memory(Db **ret, Error *err)
{
	_cleanup_db_ Db *db = NULL;
	int r;

	if ((r = db_new(":memory:", &db, err)) < 0 ||
	    (r = db_connect(db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err)) < 0)
		return r;
	*ret = steal_ptr(&db);
	return 0;
}

int64_t db_size(Db *db)
{
	int64_t pages = 0, size = 0;

	(void)sqlite_pragma(db->sqlite, db->path, "PRAGMA page_count", &pages, NULL);
	(void)sqlite_pragma(db->sqlite, db->path, "PRAGMA page_size", &size, NULL);
	return pages * size;
}

int db_copy(Db *db, const char *path, Error *err)
{
	_cleanup_close_ int fd =
		open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	DbPublish *publish = db->publish;
	int r;

	if (fd < 0)
		return error_errno(err, -errno, "Making %s", path);
	/* It writes into an empty file that is there, changes nothing here, and may be in no
	 * transaction. */
	db->publish = NULL;
	r = db_run(db, NULL, err, "VACUUM INTO ?", "t", path);
	db->publish = publish;
	if (r == 0 && fsync(fd) < 0)
		r = error_errno(err, -errno, "Writing %s", path);
	if (r < 0)
		(void)unlink(path);
	return r;
}

int db_check_file(const char *path, Error *err)
{
	sqlite3 *sqlite = NULL;
	int64_t version = 0;
	int r = 0;

	if (!path_exists(AT_FDCWD, path))
		return error_errno(err, -ENOENT, "Opening %s", path);
	if (sqlite3_open_v2(path, &sqlite, SQLITE_OPEN_READONLY | SQLITE_OPEN_EXRESCODE, NULL) !=
	    SQLITE_OK)
		r = sqlite ? sqlite_failed(sqlite, path, err)
			   : error_errno(err, -ENOMEM, "Opening %s", path);
	if (r == 0)
		r = sqlite_check(sqlite, path, err);
	if (r == 0)
		r = schema_identify(sqlite, path, &version, err);
	if (r == 0 && version == 0)
		r = error_set(err, -EBADMSG, "%s is not the backup of a hub", path);
	(void)sqlite3_close(sqlite);
	return r;
}

/* ---- statements ---- */

static int statement_find(Db *db, const char *sql, sqlite3_stmt **ret, Error *err)
{
	Statement *statement;

	for (size_t i = 0; i < db->n_statements; i++) {
		if (db->statements[i].sql == sql) {
			*ret = db->statements[i].prepared;
			(void)sqlite3_reset(*ret);
			return 0;
		}
	}
	if (db->n_statements == STATEMENTS_MAX)
		return error_set(err, -ENOMEM, "The database %s: too many statements", db->path);
	statement = &db->statements[db->n_statements];
	if (sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement->prepared,
			       NULL) != SQLITE_OK)
		return db_failed(db, err);
	statement->sql = sql;
	db->n_statements++;
	*ret = statement->prepared;
	return 0;
}

static int statement_bind(Db *db, sqlite3_stmt *statement, const char *types, va_list ap,
			  Error *err)
{
	for (int i = 0; types[i]; i++) {
		int result;

		if (types[i] == 'i') {
			result = sqlite3_bind_int64(statement, i + 1, va_arg(ap, int64_t));
		} else if (types[i] == 't') {
			result = sqlite3_bind_text(statement, i + 1, va_arg(ap, const char *), -1,
						   SQLITE_TRANSIENT);
		} else {
			const void *bytes = va_arg(ap, const void *);

			result = sqlite3_bind_blob64(statement, i + 1, bytes, va_arg(ap, size_t),
						     SQLITE_TRANSIENT);
		}
		if (result != SQLITE_OK)
			return db_failed(db, err);
	}
	return 0;
}

static int db_prepare(Db *db, sqlite3_stmt **ret, Error *err, const char *sql, const char *types,
		      va_list ap)
{
	int r = statement_find(db, sql, ret, err);

	return r < 0 ? r : statement_bind(db, *ret, types, ap, err);
}

int db_query(Db *db, sqlite3_stmt **ret, Error *err, const char *sql, const char *types, ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = db_prepare(db, ret, err, sql, types, ap);
	va_end(ap);
	return r;
}

int db_step(Db *db, sqlite3_stmt *statement, Error *err)
{
	int result = sqlite3_step(statement), r;

	if (result == SQLITE_ROW)
		return 1;
	r = result == SQLITE_DONE ? 0 : db_failed(db, err);
	(void)sqlite3_reset(statement);
	return r;
}

/* What changes something by itself is a transaction, too, if others are to know of it. */
static bool is_to_be_published(const Db *db, sqlite3_stmt *statement)
{
	return db->publish && sqlite3_get_autocommit(db->sqlite) &&
	       !sqlite3_stmt_readonly(statement);
}

static int statement_run(Db *db, sqlite3_stmt *statement, int *ret_changed, Error *err)
{
	int r = db_step(db, statement, err);

	if (r == 0 && ret_changed)
		*ret_changed = sqlite3_changes(db->sqlite);
	return r;
}

int db_run(Db *db, int *ret_changed, Error *err, const char *sql, const char *types, ...)
{
	sqlite3_stmt *statement = NULL;
	va_list ap;
	int r;

	va_start(ap, types);
	r = db_prepare(db, &statement, err, sql, types, ap);
	va_end(ap);
	if (r < 0)
		return r;
	if (!is_to_be_published(db, statement))
		return statement_run(db, statement, ret_changed, err);
	r = db_begin(db, DB_DURABLE, err);
	return r < 0 ? r : db_end(db, statement_run(db, statement, ret_changed, err), err);
}

/* Transactions begin and end with these, which are none by themselves. */
static int control_run(Db *db, const char *sql, Error *err)
{
	sqlite3_stmt *statement = NULL;
	int r = statement_find(db, sql, &statement, err);

	return r < 0 ? r : db_step(db, statement, err);
}

int db_number(Db *db, int64_t fallback, int64_t *ret, Error *err, const char *sql,
	      const char *types, ...)
{
	sqlite3_stmt *statement = NULL;
	va_list ap;
	int r;

	va_start(ap, types);
	r = db_prepare(db, &statement, err, sql, types, ap);
	va_end(ap);
	if (r == 0)
		r = db_step(db, statement, err);
	if (r < 0)
		return r;
	*ret = r ? sqlite3_column_int64(statement, 0) : fallback;
	(void)sqlite3_reset(statement);
	return 0;
}

int64_t db_last_id(Db *db)
{
	return sqlite3_last_insert_rowid(db->sqlite);
}

const char *db_text(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

/* ---- transactions ---- */

/* Each hub has a row of its own there. */
static int on_table(void *data, const char *table)
{
	(void)data;
	return strcmp(table, SCHEMA_REPLICA) != 0;
}

static void session_end(Db *db)
{
	if (db->session)
		sqlite3session_delete(db->session);
	db->session = NULL;
}

static int session_begin(Db *db, Error *err)
{
	int result = sqlite3session_create(db->sqlite, "main", &db->session);

	if (result == SQLITE_OK) {
		sqlite3session_table_filter(db->session, on_table, NULL);
		result = sqlite3session_attach(db->session, NULL);
	}
	if (result == SQLITE_OK)
		return 0;
	session_end(db);
	return error_set(err, -EIO, "The database %s: %s", db->path, sqlite3_errstr(result));
}

/* Others have it, or can get it, when this returns 0. */
static int session_publish(Db *db, Error *err)
{
	void *changes = NULL;
	int size = 0, result, r = 0;

	if (!db->session)
		return 0;
	result = sqlite3session_patchset(db->session, &size, &changes);
	session_end(db);
	if (result != SQLITE_OK)
		return error_set(err, -EIO, "The database %s: %s", db->path,
				 sqlite3_errstr(result));
	if (size > 0)
		r = db->publish(db->publish_data, changes, (size_t)size, err);
	if (r == 0 && size > 0)
		r = db_run(db, NULL, err, "UPDATE " SCHEMA_REPLICA " SET applied = applied + 1",
			   "");
	sqlite3_free(changes);
	return r;
}

int db_begin(Db *db, DbMode mode, Error *err)
{
	int r;

	/* It cannot be changed within one, and counts for the commit. */
	if (mode != db->mode) {
		r = sqlite_execute(db->sqlite, db->path,
				   mode == DB_RELAXED ? "PRAGMA synchronous = NORMAL"
						      : "PRAGMA synchronous = FULL",
				   err);

		if (r < 0)
			return r;
		db->mode = mode;
	}
	r = control_run(db, "BEGIN IMMEDIATE", err);
	if (r == 0 && db->publish && mode == DB_DURABLE && (r = session_begin(db, err)) < 0)
		db_rollback(db);
	return r;
}

int db_commit(Db *db, Error *err)
{
	int r = session_publish(db, err);

	return r < 0 ? r : control_run(db, "COMMIT", err);
}

void db_rollback(Db *db)
{
	session_end(db);
	if (!sqlite3_get_autocommit(db->sqlite))
		(void)control_run(db, "ROLLBACK", NULL);
}

int db_end(Db *db, int r, Error *err)
{
	if (r >= 0) {
		int committed = db_commit(db, err);

		r = committed < 0 ? committed : r;
	}
	if (r < 0)
		db_rollback(db);
	return r;
}

/* ---- replicas ---- */

void db_set_publish(Db *db, DbPublish *publish, void *data)
{
	db->publish = publish;
	db->publish_data = data;
}

const char *db_path(const Db *db)
{
	return db->path;
}

/* What the leader alone knows (DB_RELAXED) may be another here: a row that is to be changed may be
 * missing, or one that is to be made be there. */
static int on_conflict(void *data, int kind, sqlite3_changeset_iter *row)
{
	(void)data;
	(void)row;
	switch (kind) {
	case SQLITE_CHANGESET_DATA:
	case SQLITE_CHANGESET_CONFLICT:
		return SQLITE_CHANGESET_REPLACE;
	case SQLITE_CHANGESET_CONSTRAINT:
		return SQLITE_CHANGESET_ABORT;
	default:
		return SQLITE_CHANGESET_OMIT;
	}
}

static int changes_make(Db *db, const void *changes, size_t size, Error *err)
{
	int result = sqlite3changeset_apply(db->sqlite, (int)size, (void *)(uintptr_t)changes, NULL,
					    on_conflict, NULL);

	return result == SQLITE_OK
		       ? 0
		       : error_set(err, -EBADMSG,
				   "The database %s does not take a change of the leading hub: %s",
				   db->path, sqlite3_errstr(result));
}

int db_apply(Db *db, const void *changes, size_t size, int64_t number, Error *err)
{
	DbPublish *publish = db->publish;
	int r;

	db->publish = NULL;
	r = db_begin(db, DB_DURABLE, err);
	if (r == 0) {
		r = changes_make(db, changes, size, err);
		if (r == 0)
			r = db_run(db, NULL, err, "UPDATE " SCHEMA_REPLICA " SET applied = ?", "i",
				   number);
		r = db_end(db, r, err);
	}
	db->publish = publish;
	return r;
}

int db_replica_get(Db *db, char *ret_cluster, size_t room, int64_t *ret_applied, Error *err)
{
	sqlite3_stmt *row;
	int r = db_query(db, &row, err, "SELECT cluster, applied FROM " SCHEMA_REPLICA, "");

	if (r < 0 || (r = db_step(db, row, err)) < 0)
		return r;
	if (r == 0)
		return error_set(err, -EUCLEAN, "The database %s does not say which state it is",
				 db->path);
	(void)snprintf(ret_cluster, room, "%s", db_text(row, 0));
	*ret_applied = sqlite3_column_int64(row, 1);
	(void)sqlite3_reset(row);
	return 0;
}

int db_replica_set(Db *db, const char *cluster, int64_t applied, Error *err)
{
	DbPublish *publish = db->publish;
	int r;

	db->publish = NULL;
	r = db_run(db, NULL, err, "UPDATE " SCHEMA_REPLICA " SET cluster = ?, applied = ?", "ti",
		   cluster, applied);
	db->publish = publish;
	return r;
}
