/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "test.h"

static int shell(const char *command, int limit_ms, char **ret_output, Error *err)
{
	const char *const argv[] = {"/bin/sh", "-c", command, NULL};

	return process_run(argv, limit_ms, ret_output, err);
}

static void test_success_and_output(void **state)
{
	_cleanup_free_ char *output = NULL;

	assert_int_equal(shell("echo out; echo err >&2", 0, &output, NULL), 0);
	assert_string_equal(output, "out\nerr\n");
	assert_int_equal(shell("true", 0, NULL, NULL), 0);
}

static void test_failure_tells_the_last_line(void **state)
{
	_cleanup_free_ char *output = NULL;
	Error err = {0};

	assert_int_equal(shell("echo one; echo two; exit 3", 0, &output, &err), -EPROTO);
	assert_string_equal(err.text, "/bin/sh exited with status 3: two");
	assert_string_equal(output, "one\ntwo\n");
	assert_int_equal(shell("kill -9 $$", 0, NULL, &err), -EPROTO);
	assert_string_equal(err.text, "/bin/sh was killed by signal 9");
}

static void test_limit(void **state)
{
	Error err = {0};

	/* It waits for an input that never comes. */
	assert_int_equal(shell("exec tail -f /dev/null", 200, NULL, &err), -ETIMEDOUT);
}

static void test_background_is_not_waited_for(void **state)
{
	_cleanup_free_ char *output = NULL;

	assert_int_equal(shell("tail -f /dev/null & echo $!", 10000, &output, NULL), 0);
	assert_int_equal(kill((pid_t)strtol(output, NULL, 10), SIGKILL), 0);
}

/* What was started in the background goes with what started it. */
static void test_limit_ends_all(void **state)
{
	_cleanup_free_ char *output = NULL;
	int64_t deadline_us = clock_monotonic_us() + 10000000;
	pid_t pid;

	assert_int_equal(shell("tail -f /dev/null & echo $!; wait", 200, &output, NULL),
			 -ETIMEDOUT);
	pid = (pid_t)strtol(output, NULL, 10);
	assert_true(pid > 1);
	/* Whoever has it now as a child may not have waited for it yet. */
	for (;;) {
		_cleanup_free_ char *path = text_format("/proc/%d/stat", (int)pid);
		_cleanup_free_ char *line = NULL;

		if (file_read_line(AT_FDCWD, path, &line, NULL) < 0 || strstr(line, ") Z "))
			break;
		assert_true(clock_monotonic_us() < deadline_us);
	}
}

static void test_no_such_program(void **state)
{
	const char *const argv[] = {"/nonexistent/program", NULL};
	Error err = {0};

	assert_int_equal(process_run(argv, 0, NULL, &err), -EPROTO);
	assert_non_null(strstr(err.text, "No such file or directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_success_and_output),
		cmocka_unit_test(test_failure_tells_the_last_line),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_background_is_not_waited_for),
		cmocka_unit_test(test_limit_ends_all),
		cmocka_unit_test(test_no_such_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
