/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/db.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "hub/restore.h"
#include "test.h"

static char directory[64];

static int directory_new(void **state)
{
	(void)strcpy(directory, "/tmp/segue-test-hub-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int directory_drop(void **state)
{
	return directory_remove(AT_FDCWD, directory, NULL);
}

static char *file_path(const char *name)
{
	return text_format("%s/%s", directory, name);
}

static Db *created(void)
{
	Error err = {0};
	Db *db = NULL;

	if (db_create(directory, &db, &err) < 0)
		fail_msg("%s", err.text);
	return db;
}

/* Opens it, which must fail with this code, and with this in the message. */
static void must_fail(int code, const char *part)
{
	Error err = {0};
	Db *db = NULL;
	int r = db_open(directory, &db, &err);

	if (r != code || !strstr(err.text, part))
		fail_msg("expected %d and \"%s\", got %d: %s", code, part, r, err.text);
	assert_null(db);
}

static void test_create_and_open(void **state)
{
	_cleanup_free_ char *path = file_path(DB_FILE);
	struct stat st;
	Error err = {0};
	Db *db;

	must_fail(-ENOENT, "segue hub init");
	db_close(created());
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(db_create(directory, &db, &err), -EEXIST);
	assert_non_null(strstr(err.text, directory));
	assert_int_equal(db_open(directory, &db, NULL), 0);
	assert_true(db_size(db) > 0);
	db_close(db);
}

static void test_two_hubs(void **state)
{
	Db *db = created(), *again;

	must_fail(-EBUSY, "Another hub works with");
	db_close(db);
	assert_int_equal(db_open(directory, &again, NULL), 0);
	db_close(again);
}

static void execute(const char *sql)
{
	_cleanup_free_ char *path = file_path(DB_FILE);
	sqlite3 *sqlite;

	assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sqlite, sql, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(sqlite);
}

static void test_newer(void **state)
{
	db_close(created());
	execute("PRAGMA user_version = 999");
	must_fail(-EPROTO, "made by a newer segue");
}

static void test_foreign(void **state)
{
	_cleanup_free_ char *path = file_path(DB_FILE);

	execute("CREATE TABLE x (y); INSERT INTO x VALUES (1)");
	must_fail(-EBADMSG, "is not that of a hub");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(file_write_atomic(AT_FDCWD, path, "text\n", 5, 0600, NULL), 0);
	must_fail(-EUCLEAN, "segue hub restore");
	assert_int_equal(truncate(path, 0), 0);
	must_fail(-EUCLEAN, "is empty");
}

static void fill(Db *db)
{
	assert_int_equal(db_begin(db, DB_DURABLE, NULL), 0);
	for (int64_t i = 0; i < 2000; i++)
		assert_int_equal(db_run(db, NULL, NULL,
					"INSERT INTO channels (name, release, set_s) VALUES (?1, "
					"'r', ?1)",
					"i", i),
				 0);
	assert_int_equal(db_end(db, 0, NULL), 0);
}

static void test_truncated(void **state)
{
	_cleanup_free_ char *path = file_path(DB_FILE);
	Db *db = created();
	struct stat st;

	fill(db);
	db_close(db);
	assert_int_equal(stat(path, &st), 0);
	for (int eighths = 7; eighths > 0; eighths -= 3) {
		assert_int_equal(truncate(path, st.st_size * eighths / 8 / 512 * 512), 0);
		must_fail(-EUCLEAN, "segue hub restore");
	}
}

static void test_damaged(void **state)
{
	_cleanup_free_ char *path = file_path(DB_FILE);
	_cleanup_close_ int fd = -1;
	Db *db = created();

	fill(db);
	db_close(db);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "################", 16, 3L * 4096), 16);
	must_fail(-EUCLEAN, "damaged");
}

static void test_locked(void **state)
{
	_cleanup_free_ char *path = file_path(DB_FILE);
	Db *db = created();
	sqlite3 *other;
	Error err = {0};

	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(db_begin(db, DB_DURABLE, &err), -EAGAIN);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "another process has locked it"));
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(db_begin(db, DB_DURABLE, NULL), 0);
	assert_int_equal(db_end(db, 0, NULL), 0);
	(void)sqlite3_close(other);
	db_close(db);
}

static int64_t count(Db *db)
{
	int64_t n = -1;

	assert_int_equal(db_number(db, 0, &n, NULL, "SELECT count(*) FROM channels", ""), 0);
	return n;
}

static void test_transactions(void **state)
{
	static const char insert[] = "INSERT INTO channels (name, release, set_s) VALUES (?, ?, ?)";
	Db *db = created();
	Error err = {0};

	assert_int_equal(db_begin(db, DB_RELAXED, NULL), 0);
	assert_int_equal(db_run(db, NULL, NULL, insert, "tti", "a", "r", (int64_t)1), 0);
	assert_int_equal(db_end(db, -ECANCELED, NULL), -ECANCELED);
	assert_int_equal(count(db), 0);
	assert_int_equal(db_begin(db, DB_DURABLE, NULL), 0);
	assert_int_equal(db_run(db, NULL, NULL, insert, "tti", "a", "r", (int64_t)1), 0);
	assert_int_equal(db_run(db, NULL, &err, insert, "tti", "a", "r", (int64_t)1), -EEXIST);
	assert_int_equal(db_end(db, 0, NULL), 0);
	assert_int_equal(count(db), 1);
	db_close(db);
}

static void test_killed(void **state)
{
	Db *db = created();
	pid_t pid;
	int status;

	db_close(db);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (db_open(directory, &db, NULL) < 0)
			_exit(1);
		fill(db);
		(void)db_begin(db, DB_DURABLE, NULL);
		(void)db_run(db, NULL, NULL, "DELETE FROM channels", "");
		(void)raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(db_open(directory, &db, NULL), 0);
	assert_int_equal(count(db), 2000);
	db_close(db);
}

static void test_copy(void **state)
{
	_cleanup_free_ char *copy = file_path("copy"), *path = file_path(DB_FILE);
	struct stat st;
	Error err = {0};
	Db *db = created();

	fill(db);
	assert_int_equal(db_copy(db, copy, NULL), 0);
	assert_int_equal(stat(copy, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(db_copy(db, copy, NULL), -EEXIST);
	db_close(db);
	assert_int_equal(db_check_file(copy, NULL), 0);
	assert_int_equal(rename(copy, path), 0);
	assert_int_equal(db_open(directory, &db, NULL), 0);
	assert_int_equal(count(db), 2000);
	db_close(db);
	assert_int_equal(db_check_file(copy, &err), -ENOENT);
	assert_int_equal(truncate(path, 8192), 0);
	assert_int_equal(db_check_file(path, &err), -EUCLEAN);
}

static void test_restore(void **state)
{
	_cleanup_free_ char *copy = file_path("copy"), *old = file_path(DB_FILE ".old");
	Restore restore = {0};
	Error err = {0};
	Db *db = created();

	fill(db);
	assert_int_equal(db_copy(db, copy, NULL), 0);
	assert_int_equal(db_run(db, NULL, NULL, "DELETE FROM channels", ""), 0);
	assert_int_equal(restore_open(copy, &restore, NULL), 0);
	assert_int_equal(restore_finish(&restore, directory, true, &err), -EBUSY);
	db_close(db);
	assert_int_equal(restore_finish(&restore, directory, false, &err), -EEXIST);
	assert_non_null(strstr(err.text, "--force"));
	assert_int_equal(restore_finish(&restore, directory, true, NULL), 0);
	restore_cancel(&restore);
	assert_int_equal(db_open(directory, &db, NULL), 0);
	assert_int_equal(count(db), 2000);
	db_close(db);
	assert_int_equal(db_check_file(old, NULL), 0);
	assert_int_equal(truncate(copy, 8192), 0);
	assert_int_equal(restore_open(copy, &restore, &err), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, directory_new, directory_drop)
		TEST(test_create_and_open), TEST(test_two_hubs),
		TEST(test_newer),           TEST(test_foreign),
		TEST(test_truncated),       TEST(test_damaged),
		TEST(test_locked),          TEST(test_transactions),
		TEST(test_killed),          TEST(test_copy),
		TEST(test_restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
