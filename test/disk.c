/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "store/store.h"
#include "test.h"

static char top[64];

static int setup(void **state)
{
	strcpy(top, "/tmp/segue-test-disk-XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int teardown(void **state)
{
	return directory_remove(AT_FDCWD, top, NULL);
}

/* The store trusts only what belongs to root. */
static json_object *locate(const char *path)
{
	json_object *location = NULL;
	int64_t free_bytes = 0;
	Error err = {0};

	if (geteuid() != 0)
		skip();
	if (store_disk.locate(path, &location, &free_bytes, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(free_bytes > 0);
	return location;
}

static void put(const char *name)
{
	_cleanup_free_ char *path = text_format("%s/%s", top, name);

	assert_int_equal(file_write_atomic(AT_FDCWD, path, "x", 1, 0600, NULL), 0);
}

static bool is_there(const char *name)
{
	_cleanup_free_ char *path = text_format("%s/%s", top, name);

	return path_exists(AT_FDCWD, path);
}

static void test_what_is_beside_the_captures_stays(void **state)
{
	_cleanup_json_ json_object *location = locate(top);
	struct stat st;
	int fd = -1;

	put("mine");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store_disk.reserve(location, &fd, NULL), 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
		assert_false(path_exists(fd, "a"));
		assert_int_equal(file_write_atomic(fd, "a", "x", 1, 0600, NULL), 0);
		(void)close(fd);
	}
	assert_true(is_there("segue-capture/a"));
	assert_int_equal(store_disk.find(location, &fd, NULL), 0);
	assert_true(path_exists(fd, "a"));
	(void)close(fd);
	for (int i = 0; i < 2; i++)
		assert_int_equal(store_disk.wipe(location, NULL), 0);
	assert_false(is_there("segue-capture"));
	assert_true(is_there("mine"));
	assert_int_equal(store_disk.find(location, &fd, NULL), -ENOENT);
}

static void test_a_path_that_is_not_there_is_made(void **state)
{
	_cleanup_free_ char *path = text_format("%s/new/er//", top);
	_cleanup_json_ json_object *location = locate(path);
	int fd;

	assert_int_equal(store_disk.wipe(location, NULL), 0);
	assert_false(is_there("new"));
	assert_int_equal(store_disk.reserve(location, &fd, NULL), 0);
	(void)close(fd);
	assert_true(is_there("new/er/segue-capture"));
	assert_int_equal(store_disk.wipe(location, NULL), 0);
	assert_true(is_there("new/er"));
}

static void test_the_root_directory(void **state)
{
	_cleanup_json_ json_object *location = locate("/");

	assert_string_equal(json_opt_string(location, "path", ""), "/segue-capture");
}

static void refused(json_object *location, int expected)
{
	Error err = {0};
	int fd;

	assert_int_equal(store_disk.reserve(location, &fd, &err), expected);
	assert_true(*err.text);
	assert_int_equal(store_disk.find(location, &fd, NULL), expected);
	assert_int_equal(store_disk.wipe(location, NULL), expected);
}

static void test_what_segue_has_not_made_is_refused(void **state)
{
	_cleanup_json_ json_object *location = locate(top);
	_cleanup_free_ char *own = text_format("%s/segue-capture", top);
	_cleanup_free_ char *other = text_format("%s/other", top);

	assert_int_equal(mkdir(other, 0700), 0);
	put("other/a");
	assert_int_equal(symlink("other", own), 0);
	refused(location, -ENOTDIR);
	assert_int_equal(unlink(own), 0);
	assert_int_equal(rename(other, own), 0);
	assert_int_equal(chmod(own, 0755), 0);
	refused(location, -EPERM);
	assert_int_equal(chmod(own, 0700), 0);
	assert_int_equal(chown(own, 1, 1), 0);
	refused(location, -EPERM);
	assert_true(is_there("segue-capture/a"));
}

static void test_a_path_of_others_is_refused(void **state)
{
	_cleanup_json_ json_object *location = locate(top), *none = NULL;
	int64_t free_bytes;

	assert_int_equal(chmod(top, 0775), 0);
	refused(location, -EPERM);
	assert_int_equal(store_disk.locate(top, &none, &free_bytes, NULL), -EPERM);
	assert_int_equal(chmod(top, 01777), 0);
	assert_int_equal(store_disk.wipe(location, NULL), 0);
	assert_int_equal(chown(top, 1, 1), 0);
	refused(location, -EPERM);
}

/* As another version may have left it in a journal. */
static void test_a_foreign_location_is_refused(void **state)
{
	_cleanup_json_ json_object *location = json_object_new_object();

	json_put_string(location, "path", top);
	refused(location, -EBADMSG);
	assert_true(path_exists(AT_FDCWD, top));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_beside_the_captures_stays, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_path_that_is_not_there_is_made, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_the_root_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_segue_has_not_made_is_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_path_of_others_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_foreign_location_is_refused, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
