/* SPDX-License-Identifier: Apache-2.0 */
#include "base/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Leaves WATCHING once, by whoever is first. */
enum { WATCHING, ENDED, ACTING };

typedef struct Step {
	int number, limit_s;
} Step;

static void shared_put(atomic_int *state)
{
	(void)munmap(state, sizeof(*state));
}

static bool state_leave(atomic_int *state, int to)
{
	int from = WATCHING;

	return atomic_compare_exchange_strong(state, &from, to);
}

static _Noreturn void stand_still(void)
{
	for (;;)
		(void)pause();
}

/* 1: the step that is told now is in `step`; 0: that in it took too long; -1: nothing will be told.
 */
static int step_await(int fd, Step *step)
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	int r;

	do
		r = poll(&polled, 1, step->limit_s > 0 ? step->limit_s * 1000 : -1);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return 0;
	return r > 0 && read(fd, step, sizeof(*step)) == (ssize_t)sizeof(*step) ? 1 : -1;
}

static void child_run(int fd, atomic_int *state, WatchAct *act, void *userdata)
{
	Step step = {0};
	int r;

	while ((r = step_await(fd, &step)) > 0)
		;
	if (r == 0 && state_leave(state, ACTING))
		act(step.number, step.limit_s, userdata);
	_exit(0);
}

int watch_start(Watch *watch, WatchAct *act, void *userdata, Error *err)
{
	atomic_int *state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fds[2], r;
	pid_t pid;

	if (state == MAP_FAILED)
		return error_errno(err, -errno, "Starting a watch");
	if (pipe2(fds, O_CLOEXEC) < 0) {
		r = error_errno(err, -errno, "Starting a watch");
		shared_put(state);
		return r;
	}
	pid = fork();
	if (pid == 0) {
		(void)close(fds[1]);
		child_run(fds[0], state, act, userdata);
	}
	(void)close(fds[0]);
	if (pid < 0) {
		(void)close(fds[1]);
		shared_put(state);
		return error_errno(err, -EAGAIN, "Starting a watch");
	}
	*watch = (Watch){.steps = fds[1], .state = state};
	return 0;
}

void watch_step(const Watch *watch, int step, int limit_s)
{
	const Step told = {step, limit_s};

	if (!watch->state)
		return;
	if (atomic_load(watch->state) == ACTING)
		stand_still();
	/* Without its reader, nobody watches. */
	if (write(watch->steps, &told, sizeof(told)) < 0)
		return;
}

void watch_end(Watch *watch)
{
	if (!watch->state)
		return;
	if (!state_leave(watch->state, ENDED) && atomic_load(watch->state) == ACTING)
		stand_still();
	(void)close(watch->steps);
	shared_put(watch->state);
	*watch = (Watch){0};
}
