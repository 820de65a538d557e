/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "test.h"

typedef struct Asker {
	pid_t leader;
	int terminal;
	/* The terminal's leader ends when this is closed. */
	int leave;
} Asker;

static _Noreturn void ask(const char *expected)
{
	char answer[16] = "";
	int r;

	(void)signal(SIGINT, SIG_DFL);
	r = terminal_ask("Secret? ", answer, sizeof(answer), NULL);
	_exit(expected ? r != 0 || strcmp(answer, expected) != 0 : r != -E2BIG);
}

/* A child on a terminal of its own asks, and ends with 0 if it got `expected`, or as 128 and the
 * signal that ended it.  The leader of its session outlives it: as that ends, the kernel throws
 * away what nobody has read yet, and resets the terminal. */
static Asker asker_start(const char *expected)
{
	Asker a;
	int leave[2];

	assert_int_equal(pipe2(leave, O_CLOEXEC), 0);
	a.leader = forkpty(&a.terminal, NULL, NULL, NULL);
	if (a.leader == 0) {
		pid_t child;
		int status = 0;
		char none;

		(void)close(leave[1]);
		(void)signal(SIGINT, SIG_IGN);
		child = fork();
		if (child == 0)
			ask(expected);
		(void)waitpid(child, &status, 0);
		(void)!read(leave[0], &none, 1);
		_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	}
	assert_true(a.leader > 0);
	(void)close(leave[0]);
	a.leave = leave[1];
	return a;
}

static int asker_end(Asker *a)
{
	int status = -1;

	(void)close(a->leave);
	assert_int_equal(waitpid(a->leader, &status, 0), a->leader);
	assert_true(WIFEXITED(status));
	(void)close(a->terminal);
	return WEXITSTATUS(status);
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

static void test_what_is_typed_is_not_shown(void **state)
{
	char seen[256] = "";
	Asker a = asker_start("hunter2");

	expect(a.terminal, "Secret? ", seen, sizeof(seen));
	assert_int_equal(write(a.terminal, "hunter2\n", 8), 8);
	expect(a.terminal, "\n", seen, sizeof(seen));
	assert_int_equal(asker_end(&a), 0);
	assert_null(strstr(seen, "hunter2"));
}

static void test_what_is_too_long_is_refused(void **state)
{
	char seen[256] = "";
	Asker a = asker_start(NULL);

	expect(a.terminal, "Secret? ", seen, sizeof(seen));
	assert_int_equal(write(a.terminal, "0123456789abcdef\n", 17), 17);
	expect(a.terminal, "\n", seen, sizeof(seen));
	assert_int_equal(asker_end(&a), 0);
}

/* At any time: also between the prompt and the wait for an answer. */
static void test_an_interrupt_leaves_the_terminal_as_it_was(void **state)
{
	for (int i = 0; i < 50; i++) {
		char seen[256] = "";
		struct termios t;
		Asker a = asker_start("never");

		expect(a.terminal, "Secret? ", seen, sizeof(seen));
		assert_int_equal(write(a.terminal, "\003", 1), 1);
		expect(a.terminal, "\n", seen, sizeof(seen));
		assert_int_equal(tcgetattr(a.terminal, &t), 0);
		assert_true(t.c_lflag & ECHO);
		assert_int_equal(asker_end(&a), 128 + SIGINT);
	}
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
