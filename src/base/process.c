/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

static void child_exec(const char *const argv[], int output)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	/* A group of its own: what it starts is ended with it. */
	(void)setpgid(0, 0);
	if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		_exit(126);
	/* execvp() takes char *const[]; it does not write to the strings. */
	execvp(argv[0], (char *const *)(size_t)argv);
	(void)dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* What is there to be read, without waiting for more. */
static void output_drain(int fd, FILE *into)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char buffer[4096];
	ssize_t n;

	while (poll(&p, 1, 0) > 0 && (n = read(fd, buffer, sizeof(buffer))) > 0)
		(void)fwrite(buffer, 1, (size_t)n, into);
}

/* Collects until the process ends or the deadline.  1 if it has ended, 0 at the deadline.  The pipe
 * may be held open for longer, by what it has left in the background. */
static int output_collect(int fd, int process, FILE *into, int64_t deadline_us)
{
	for (;;) {
		struct pollfd p[2] = {{.fd = process, .events = POLLIN},
				      {.fd = fd, .events = POLLIN}};
		int wait_ms = -1;

		if (deadline_us > 0) {
			int64_t left = deadline_us - clock_monotonic_us();

			if (left <= 0)
				return 0;
			wait_ms = (int)(left / 1000) + 1;
		}
		if (poll(p, 2, wait_ms) <= 0)
			continue;
		output_drain(fd, into);
		if (p[0].revents)
			return 1;
		/* Closed at the other end: from now on only the process is waited for. */
		if (p[1].revents & POLLHUP && !(p[1].revents & POLLIN))
			fd = -1;
	}
}

static const char *last_line(char *text)
{
	size_t n = strlen(text);
	char *newline;

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		text[--n] = '\0';
	newline = strrchr(text, '\n');
	return newline ? newline + 1 : text;
}

static int process_status(const char *name, int status, const char *output, Error *err)
{
	_cleanup_free_ char *copy = strdup(output);
	const char *line = copy ? last_line(copy) : "";

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		return error_set(err, -EPROTO, "%s was killed by signal %d%s%s", name,
				 WTERMSIG(status), *line ? ": " : "", line);
	return error_set(err, -EPROTO, "%s exited with status %d%s%s", name, WEXITSTATUS(status),
			 *line ? ": " : "", line);
}

int process_run(const char *const argv[], int limit_ms, char **ret_output, Error *err)
{
	int64_t deadline = limit_ms > 0 ? clock_monotonic_us() + (int64_t)limit_ms * 1000 : 0;
	_cleanup_free_ char *text = NULL; /* outlives the stream that writes it */
	_cleanup_fclose_ FILE *memory = NULL;
	_cleanup_close_ int reader = -1, process = -1;
	size_t size = 0;
	int pipe_fds[2], status = 0, ended, r;
	pid_t pid;

	memory = open_memstream(&text, &size);
	if (!memory)
		return error_errno(err, -ENOMEM, "Running %s", argv[0]);
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "Running %s", argv[0]);
	reader = pipe_fds[0];

	pid = fork();
	if (pid < 0) {
		r = -errno;
		(void)close(pipe_fds[1]);
		return error_errno(err, r, "Running %s", argv[0]);
	}
	if (pid == 0)
		child_exec(argv, pipe_fds[1]);
	(void)close(pipe_fds[1]);

	process = (int)syscall(SYS_pidfd_open, pid, 0);
	ended = output_collect(reader, process, memory, deadline);
	if (!ended && kill(-pid, SIGKILL) < 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	(void)fflush(memory);
	r = ended ? process_status(argv[0], status, text, err)
		  : error_set(err, -ETIMEDOUT, "%s did not end within %d s", argv[0],
			      limit_ms / 1000);
	/* The stream owns the buffer until it is closed. */
	(void)fclose(steal_ptr(&memory));
	if (ret_output)
		*ret_output = steal_ptr(&text);
	return r;
}
