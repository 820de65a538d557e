/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include <errno.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "test.h"

/* A child on a terminal of its own asks, and ends with 0 if it got `expected`. */
static pid_t ask(int *ret_terminal, const char *expected)
{
	pid_t pid = forkpty(ret_terminal, NULL, NULL, NULL);

	if (pid == 0) {
		char answer[16] = "";
		int r;

		/* Whoever runs the tests may ignore it, as a shell does for what is in the
		 * background. */
		(void)signal(SIGINT, SIG_DFL);
		r = terminal_ask("Secret? ", answer, sizeof(answer), NULL);

		_exit(expected ? r != 0 || strcmp(answer, expected) != 0 : r != -E2BIG);
	}
	assert_true(pid > 0);
	return pid;
}

/* Reads until the text has come, or the end. */
static void expect(int terminal, const char *text, char *seen, size_t size)
{
	size_t n = strlen(seen);

	while (!strstr(seen, text) && n + 1 < size) {
		ssize_t got = read(terminal, seen + n, size - 1 - n);

		if (got <= 0)
			break;
		n += (size_t)got;
		seen[n] = '\0';
	}
	assert_non_null(strstr(seen, text));
}

static int status_of(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_what_is_typed_is_not_shown(void **state)
{
	char seen[256] = "";
	int terminal, status;
	pid_t pid = ask(&terminal, "hunter2");

	expect(terminal, "Secret? ", seen, sizeof(seen));
	assert_int_equal(write(terminal, "hunter2\n", 8), 8);
	expect(terminal, "\n", seen, sizeof(seen));
	status = status_of(pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_null(strstr(seen, "hunter2"));
	(void)close(terminal);
}

static void test_what_is_too_long_is_refused(void **state)
{
	char seen[256] = "";
	int terminal;
	pid_t pid = ask(&terminal, NULL);

	expect(terminal, "Secret? ", seen, sizeof(seen));
	assert_int_equal(write(terminal, "0123456789abcdef\n", 17), 17);
	expect(terminal, "\n", seen, sizeof(seen));
	assert_int_equal(status_of(pid), 0);
	(void)close(terminal);
}

static void test_an_interrupt_leaves_the_terminal_as_it_was(void **state)
{
	char seen[256] = "";
	struct termios t;
	int terminal, status;
	pid_t pid = ask(&terminal, "never");

	expect(terminal, "Secret? ", seen, sizeof(seen));
	assert_int_equal(write(terminal, "\003", 1), 1);
	expect(terminal, "\n", seen, sizeof(seen));
	status = status_of(pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGINT);
	assert_int_equal(tcgetattr(terminal, &t), 0);
	assert_true(t.c_lflag & ECHO);
	(void)close(terminal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_typed_is_not_shown),
		cmocka_unit_test(test_what_is_too_long_is_refused),
		cmocka_unit_test(test_an_interrupt_leaves_the_terminal_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
