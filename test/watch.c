/* SPDX-License-Identifier: Apache-2.0 */
#include "base/watch.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "test.h"

#define LONG_S   3600
#define WAIT_MS  30000
#define UNWANTED 99

/* Acts by telling what it was called with. */
static void tell(int step, int limit_s, void *userdata)
{
	const int told[] = {step, limit_s};

	assert_int_equal(write(*(const int *)userdata, told, sizeof(told)), sizeof(told));
}

/* What was told, until nobody can tell any more: -1 if it was nothing. */
static int told_step(int fd, int *ret_limit_s)
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	int told[2] = {UNWANTED, 0};

	if (poll(&polled, 1, WAIT_MS) <= 0)
		return UNWANTED;
	if (read(fd, told, sizeof(told)) == 0)
		return -1;
	*ret_limit_s = told[1];
	return told[0];
}

static void test_hang_is_acted_on(void **state)
{
	int fds[2], limit_s = 0;
	Watch watch = {0};

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(watch_start(&watch, tell, &fds[1], NULL), 0);
	watch_step(&watch, 1, LONG_S);
	watch_step(&watch, 2, 1);
	assert_int_equal(told_step(fds[0], &limit_s), 2);
	assert_int_equal(limit_s, 1);
	while (wait(NULL) > 0)
		;
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void test_end_is_heard(void **state)
{
	int fds[2], limit_s = 0;
	Watch watch = {0};

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(watch_start(&watch, tell, &fds[1], NULL), 0);
	watch_step(&watch, 1, LONG_S);
	watch_end(&watch);
	while (wait(NULL) > 0)
		;
	(void)close(fds[1]);
	assert_int_equal(told_step(fds[0], &limit_s), -1);
	(void)close(fds[0]);
	/* There is none: nothing happens. */
	watch_step(&watch, 1, 1);
	watch_end(&watch);
}

/* Who was too late does not go on, or two would act. */
static void test_late_one_stands_still(void **state)
{
	int fds[2], limit_s = 0, status;
	Watch watch = {0};
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(watch_start(&watch, tell, &fds[1], NULL), 0);
	watch_step(&watch, 1, 1);
	assert_int_equal(told_step(fds[0], &limit_s), 1);
	pid = fork();
	if (pid == 0) {
		(void)alarm(1);
		watch_end(&watch);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGALRM);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hang_is_acted_on),
		cmocka_unit_test(test_end_is_heard),
		cmocka_unit_test(test_late_one_stands_still),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
