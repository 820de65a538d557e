/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
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

	(void)setpgid(0, 0);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		_exit(126);
	/* execvp() takes char *const[]; it does not write to the strings. */
	execvp(argv[0], (char *const *)(size_t)argv);
	(void)dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* At most `n` bytes of what is there: 0 if that is the end of the file, or -errno. */
static ssize_t output_take(int fd, FILE *into, size_t n)
{
	char buffer[4096];
	ssize_t taken = read(fd, buffer, n < sizeof(buffer) ? n : sizeof(buffer));

	if (taken < 0)
		return -errno;
	(void)fwrite(buffer, 1, (size_t)taken, into);
	return taken;
}

/* What is in the pipe by now.  Something left in the background may write for ever, so the end is
 * not when the pipe is empty. */
static void output_drain(int fd, FILE *into)
{
	int left = 0;

	if (ioctl(fd, FIONREAD, &left) < 0)
		return;
	while (left > 0) {
		ssize_t n = output_take(fd, into, (size_t)left);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return;
		left -= (int)n;
	}
}

/*
 * Collects until the process has ended or the deadline.  1 when it has ended, 0 at the deadline.
 * The end of the file tells neither: what the process leaves in the background keeps the pipe open,
 * and the process may close it and go on.
 */
static int output_collect(int fd, int process_fd, FILE *into, int64_t deadline_us)
{
	struct pollfd polled[] = {{.fd = process_fd, .events = POLLIN},
				  {.fd = fd, .events = POLLIN}};

	for (;;) {
		int wait_ms = -1;
		ssize_t n;

		if (deadline_us > 0) {
			int64_t left = deadline_us - clock_monotonic_us();

			if (left <= 0)
				return 0;
			wait_ms = (int)(left / 1000) + 1;
		}
		if (poll(polled, 2, wait_ms) <= 0)
			continue;
		if (polled[0].revents) {
			if (polled[1].fd >= 0)
				output_drain(fd, into);
			return 1;
		}
		n = output_take(fd, into, SIZE_MAX);
		if (n <= 0 && n != -EINTR)
			polled[1].fd = -1; /* poll(2) passes over it */
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
	_cleanup_close_ int reader = -1, process_fd = -1;
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
	/* Here as well as in the child: whoever comes first, there is a group from now on. */
	(void)setpgid(pid, pid);

	process_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	r = process_fd < 0 ? -errno : 0;
	ended = r == 0 && output_collect(reader, process_fd, memory, deadline);
	/* Until it is waited for, neither its PID nor its group can be somebody else's. */
	if (!ended)
		(void)kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	(void)fflush(memory);
	if (r < 0)
		r = error_errno(err, r, "Running %s", argv[0]);
	else
		r = ended ? process_status(argv[0], status, text, err)
			  : error_set(err, -ETIMEDOUT, "%s did not end within %d s", argv[0],
				      limit_ms / 1000);
	/* The stream owns the buffer until it is closed. */
	(void)fclose(steal_ptr(&memory));
	if (ret_output)
		*ret_output = steal_ptr(&text);
	return r;
}
