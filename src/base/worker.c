/* SPDX-License-Identifier: Apache-2.0 */
#include "base/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int worker_start(Worker *worker, int (*work)(void *userdata, Error *err), void *userdata,
		 Error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "Starting a worker");
	worker->answer = fds[0];
	worker->pid = fork();
	if (worker->pid == 0) {
		Error answer = {0};

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		answer.code = work(userdata, &answer);
		_exit(write(fds[1], &answer, sizeof(answer)) != (ssize_t)sizeof(answer));
	}
	(void)close(fds[1]);
	if (worker->pid > 0)
		return 0;
	worker->pid = 0;
	(void)close(worker->answer);
	return error_errno(err, -EAGAIN, "Starting a worker");
}

int worker_finish(Worker *worker, int limit_ms, Error *err)
{
	struct pollfd p = {.fd = worker->answer, .events = POLLIN};
	Error answer = {0};
	ssize_t n = 0;
	bool late;

	if (worker->pid == 0)
		return 0;
	late = poll(&p, 1, limit_ms) == 0;
	if (late)
		(void)kill(worker->pid, SIGKILL);
	else
		n = read(worker->answer, &answer, sizeof(answer));
	(void)close(worker->answer);
	while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
		;
	worker->pid = 0;
	if (late)
		return error_set(err, -ETIMEDOUT, "It took longer than %d s", limit_ms / 1000);
	if (n != (ssize_t)sizeof(answer))
		return error_set(err, -EIO, "The worker died");
	/* It may have given up its rights, and be somebody else's by now. */
	answer.text[sizeof(answer.text) - 1] = '\0';
	return answer.code < 0 ? error_set(err, answer.code, "%s", answer.text) : 0;
}

int worker_join(Worker *worker, int done, int limit_ms, Error *err)
{
	int r = worker_finish(worker, limit_ms, done < 0 ? NULL : err);

	return done < 0 ? done : r;
}
