/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "test.h"

static char top[64];

static int setup(void **state)
{
	strcpy(top, "/tmp/segue-test-path-XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int teardown(void **state)
{
	return directory_remove(AT_FDCWD, top, NULL);
}

/* Below the directory of the test; the texts of a call live until the next. */
static const char *at(const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void link_make(const char *target, const char *name)
{
	assert_int_equal(symlink(target, at(name)), 0);
}

static void test_links_lead_nowhere(void **state)
{
	Error err = {0};
	int fd, above;

	assert_int_equal(mkdir(at("real"), 0700), 0);
	assert_int_equal(file_write_atomic(AT_FDCWD, at("real/file"), "x", 1, 0600, NULL), 0);
	link_make("real", "link");
	link_make("/etc/passwd", "real/out");
	fd = path_open(at("real/file"), O_RDONLY, NULL);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(path_open(at("link/file"), O_RDONLY, &err), -ELOOP);
	assert_non_null(strstr(err.text, "symbolic link"));
	assert_int_equal(path_open(at("real/out"), O_RDONLY, NULL), -ELOOP);
	assert_int_equal(path_open("tmp", O_RDONLY, NULL), -EINVAL);
	above = path_open(top, O_PATH, NULL);
	assert_int_equal(path_open_below(above, "link/file", O_RDONLY, NULL), -ELOOP);
	assert_int_equal(path_open_below(above, "../..", O_RDONLY, NULL), -EXDEV);
	(void)close(above);
}

static void test_a_directory_is_reached(void **state)
{
	struct stat reached, named;
	int fd = directory_reach(at("a/b//c/"), 0750, NULL);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &reached), 0);
	(void)close(fd);
	assert_int_equal(stat(at("a/b/c"), &named), 0);
	assert_int_equal(reached.st_ino, named.st_ino);
	assert_int_equal(named.st_mode & 07777, 0750);
	fd = directory_reach_above(at("a/b/x"), 0750, NULL);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_false(path_exists(AT_FDCWD, at("a/b/x")));
}

/* A user's link in a user's directory must not make root create anything elsewhere. */
static void test_nothing_is_made_behind_a_link(void **state)
{
	assert_int_equal(mkdir(at("elsewhere"), 0700), 0);
	assert_int_equal(mkdir(at("user"), 0700), 0);
	link_make("../elsewhere", "user/dir");
	assert_int_equal(directory_reach(at("user/dir/new"), 0755, NULL), -ENOTDIR);
	assert_int_equal(directory_reach_above(at("user/dir/new/x"), 0755, NULL), -ENOTDIR);
	assert_false(path_exists(AT_FDCWD, at("elsewhere/new")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_links_lead_nowhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_directory_is_reached, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_made_behind_a_link, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
