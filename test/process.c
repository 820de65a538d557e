/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
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

static void test_background_does_not_delay(void **state)
{
	_cleanup_free_ char *output = NULL;
	Error err = {0};
	pid_t left;

	if (shell("tail -f /dev/null & echo $!", 10000, &output, &err) < 0)
		fail_msg("%s", err.text);
	left = (pid_t)strtol(output, NULL, 10);
	assert_true(left > 1);
	/* It goes on. */
	assert_int_equal(kill(left, SIGKILL), 0);
}

static void test_background_that_writes(void **state)
{
	_cleanup_free_ char *output = NULL;
	Error err = {0};

	/* It ends by the signal for a pipe that nobody reads. */
	assert_int_equal(shell("yes & echo done; exit 4", 10000, &output, &err), -EPROTO);
	assert_non_null(strstr(output, "done\n"));
}

static void test_output_before_the_end(void **state)
{
	_cleanup_free_ char *output = NULL;

	/* More than a pipe holds, and the last of it just before the end. */
	assert_int_equal(shell("tail -f /dev/null & left=$!; seq 100000; kill $left; echo last",
			       10000, &output, NULL),
			 0);
	assert_true(strlen(output) > 500000);
	assert_string_equal(output + strlen(output) - strlen("100000\nlast\n"), "100000\nlast\n");
}

/* A process that closes its output is still waited for. */
static void test_output_closed(void **state)
{
	Error err = {0};

	assert_int_equal(shell("exec >/dev/null 2>&1; exit 5", 10000, NULL, &err), -EPROTO);
	assert_string_equal(err.text, "/bin/sh exited with status 5");
	assert_int_equal(shell("exec tail -f /dev/null >/dev/null 2>&1", 200, NULL, &err),
			 -ETIMEDOUT);
}

static void test_limit_kills_the_group(void **state)
{
	_cleanup_free_ char *output = NULL;
	int watch[2];
	char byte;
	Error err = {0};

	/* Both processes hold the writing end; the reading one is at its end when they are gone. */
	assert_int_equal(pipe(watch), 0);
	assert_int_equal(fcntl(watch[0], F_SETFD, FD_CLOEXEC), 0);
	assert_int_equal(shell("tail -f /dev/null & echo begun; wait", 200, &output, &err),
			 -ETIMEDOUT);
	assert_string_equal(output, "begun\n");
	(void)close(watch[1]);
	assert_int_equal(poll(&(struct pollfd){.fd = watch[0], .events = POLLIN}, 1, 10000), 1);
	assert_int_equal(read(watch[0], &byte, 1), 0);
	(void)close(watch[0]);
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
		cmocka_unit_test(test_background_does_not_delay),
		cmocka_unit_test(test_background_that_writes),
		cmocka_unit_test(test_output_before_the_end),
		cmocka_unit_test(test_output_closed),
		cmocka_unit_test(test_limit_kills_the_group),
		cmocka_unit_test(test_no_such_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
