/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "test.h"

#define NUMBER 0x123456789abcdef

static char directory[64], below[80];

static int setup(void **state)
{
	(void)snprintf(directory, sizeof(directory), "/var/tmp/systemd-private-segue-test-%d",
		       (int)getpid());
	(void)snprintf(below, sizeof(below), "%s/tmp", directory);
	return mkdir(directory, 0700) < 0 || mkdir(below, 0700) < 0;
}

static int teardown(void **state)
{
	(void)rmdir(below);
	return rmdir(directory);
}

static json_object *mounts_of(size_t n)
{
	json_object *mounts = json_object_new_array();

	for (size_t i = 0; i < n; i++) {
		json_object *mount = json_object_new_object();

		json_put_string(mount, "from", below);
		(void)json_object_array_add(mounts, mount);
	}
	return mounts;
}

static const char *from_of(json_object *mounts, size_t i)
{
	return json_opt_string(json_object_array_get_idx(mounts, i), "from", "");
}

/* Two trees of a unit have the same directory, which gets one new name; and its old one back. */
static void test_names_go_and_return(void **state)
{
	json_object *mounts = mounts_of(2);
	Error err = {0};

	assert_int_equal(private_directories_settle(mounts, NUMBER, &err), 0);
	assert_non_null(strstr(from_of(mounts, 0), "/var/tmp/segue-private-"));
	assert_string_equal(from_of(mounts, 0), from_of(mounts, 1));
	assert_int_equal(access(from_of(mounts, 0), F_OK), 0);
	assert_int_equal(access(directory, F_OK), -1);
	private_directories_return();
	assert_int_equal(access(below, F_OK), 0);
	assert_int_equal(access(from_of(mounts, 0), F_OK), -1);
	(void)json_object_put(mounts);
}

/* The machine did not outlive the first: it cannot give them their old names. */
static void test_a_second_restore(void **state)
{
	_cleanup_json_ json_object *first = mounts_of(1), *second = mounts_of(1);
	Error err = {0};
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(private_directories_settle(first, NUMBER, NULL) == 0 ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(access(directory, F_OK), -1);
	/* Of another capture it is not. */
	assert_int_equal(private_directories_settle(second, NUMBER + 1, &err), -ENOENT);
	assert_int_equal(private_directories_settle(second, NUMBER, &err), 0);
	assert_non_null(strstr(from_of(second, 0), "/var/tmp/segue-private-"));
	assert_int_equal(access(from_of(second, 0), F_OK), 0);
	private_directories_return();
	assert_int_equal(access(below, F_OK), 0);
}

static void test_one_that_is_not_there(void **state)
{
	json_object *mounts = mounts_of(1);
	Error err = {0};

	(void)snprintf(below, sizeof(below), "%s-other/tmp", directory);
	json_put_string(json_object_array_get_idx(mounts, 0), "from", below);
	assert_int_equal(private_directories_settle(mounts, NUMBER, &err), -ENOENT);
	assert_non_null(strstr(err.text, "other"));
	(void)snprintf(below, sizeof(below), "%s/tmp", directory);
	private_directories_return();
	(void)json_object_put(mounts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_go_and_return),
		cmocka_unit_test(test_a_second_restore),
		cmocka_unit_test(test_one_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
