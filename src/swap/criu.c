/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/criu.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/process.h"

#define CRIU_PROGRAM "/usr/sbin/criu"

void criu_job_free(CriuJob *job)
{
	for (size_t i = 0; i < job->n_args; i++)
		free(job->args[i]);
	for (size_t i = 0; i < job->n_keep_fds; i++)
		(void)close(job->keep_fds[i]);
	job->n_args = job->n_keep_fds = 0;
}

int criu_job_add(CriuJob *job, Error *err, const char *fmt, ...)
{
	char *arg = NULL;
	va_list ap;
	int n;

	if (job->n_args + 1 >= CRIU_ARGS_MAX)
		return error_set(err, -E2BIG, "More than %d arguments for criu", CRIU_ARGS_MAX);
	va_start(ap, fmt);
	n = vasprintf(&arg, fmt, ap);
	va_end(ap);
	if (n < 0)
		return error_errno(err, -ENOMEM, "Preparing criu");
	job->args[job->n_args++] = arg;
	return 0;
}

int criu_job_inherit(CriuJob *job, int fd, const char *key, Error *err)
{
	int r;

	if (job->n_keep_fds >= CRIU_ARGS_MAX) {
		(void)close(fd);
		return error_set(err, -E2BIG, "More than %d descriptors for criu", CRIU_ARGS_MAX);
	}
	job->keep_fds[job->n_keep_fds++] = fd;
	r = criu_job_add(job, err, "--inherit-fd");
	return r < 0 ? r : criu_job_add(job, err, "fd[%d]:%s", fd, key);
}

static void fd_inheritable(int fd)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, 0);
}

static void child_environment(const CriuJob *job)
{
	char list[128] = "", number[16];
	size_t used = 0;

	(void)clearenv();
	(void)setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	(void)setenv("LD_PRELOAD", CRIU_SHIM, 1);
	for (size_t i = 0; i < job->n_namespaces; i++) {
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%d", i ? "," : "",
					 job->namespaces[i]);
		fd_inheritable(job->namespaces[i]);
	}
	if (job->n_namespaces > 0)
		(void)setenv("SEGUE_NAMESPACES", list, 1);
	if (job->ignore_userns)
		(void)setenv("SEGUE_IGNORE_USERNS", "1", 1);
	if (job->gentle)
		(void)setenv("SEGUE_GENTLE", "1", 1);
	if (job->peers_fd >= 0) {
		(void)snprintf(number, sizeof(number), "%d", job->peers_fd);
		(void)setenv("SEGUE_PEERS", number, 1);
		fd_inheritable(job->peers_fd);
	}
	if (job->barrier_ready >= 0) {
		(void)snprintf(number, sizeof(number), "%d", job->barrier_ready);
		(void)setenv("SEGUE_BARRIER_READY", number, 1);
		(void)snprintf(number, sizeof(number), "%d", job->barrier_go);
		(void)setenv("SEGUE_BARRIER_GO", number, 1);
		fd_inheritable(job->barrier_ready);
		fd_inheritable(job->barrier_go);
	}
	for (size_t i = 0; i < job->n_keep_fds; i++)
		fd_inheritable(job->keep_fds[i]);
	fd_inheritable(job->images_fd);
	fd_inheritable(job->cgroup_fd);
}

/* In the child: never returns.  What it prints before criu has its log is in NAME.out beside the
 * log. */
static void child_exec(const CriuJob *job, const char *verb)
{
	_cleanup_free_ char *out_name = text_format("%s.out", job->log);
	char images[32];
	char *argv[CRIU_ARGS_MAX + 16];
	size_t n = 0;
	sigset_t none;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), out = -1;

	if (out_name)
		out = openat(job->images_fd, out_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			     0600);
	if (null < 0 || out < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(126);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)setsid();
	/* Images hold everything.  What is restored has its own mask, and files with their own
	 * modes. */
	if (strcmp(verb, "restore") != 0)
		(void)umask(077);
	child_environment(job);
	(void)snprintf(images, sizeof(images), "/proc/self/fd/%d", job->images_fd);

	argv[n++] = (char *)"criu";
	argv[n++] = (char *)(size_t)verb;
	argv[n++] = (char *)"--images-dir";
	argv[n++] = images;
	argv[n++] = (char *)"--work-dir";
	argv[n++] = images;
	argv[n++] = (char *)"--log-file";
	argv[n++] = (char *)(size_t)job->log;
	argv[n++] = (char *)"-v3";
	for (size_t i = 0; i < job->n_args; i++)
		argv[n++] = job->args[i];
	argv[n] = NULL;
	(void)execv(CRIU_PROGRAM, argv);
	(void)dprintf(2, "Error: executing " CRIU_PROGRAM ": %s\n", strerror(errno));
	_exit(127);
}

/* Moves the calling process; a helper for restoring, where the tasks inherit criu's control group.
 */
static int cgroup_enter(int cgroup_fd)
{
	_cleanup_close_ int fd = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, "0", 1) == 1 ? 0 : -errno;
}

/* In the child, before it becomes criu: as if criu were killed. */
static void faults_visit(const char *verb)
{
	static const char *const points[][2] = {
		{"pre-dump", "warm-criu"},
		{"dump", "capture-criu"},
		{"restore", "restore-criu"},
	};

	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		if (strcmp(points[i][0], verb) == 0)
			(void)fault_point(points[i][1], NULL);
}

/* fork() into a given PID (clone3(2), set_tid). */
static pid_t fork_as(pid_t wanted)
{
	uint64_t set_tid = (uint64_t)(uintptr_t)&wanted;
	struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = set_tid, .set_tid_size = 1};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

int criu_start(CriuJob *job, const char *verb, pid_t *ret_pid, Error *err)
{
	bool restore = strcmp(verb, "restore") == 0;
	pid_t pid = job->pid ? fork_as(job->pid) : fork();

	if (pid < 0)
		return error_errno(err, -errno, "Starting criu");
	if (pid == 0) {
		/* Nothing may go on behind the back of who finds its parent dead, or keep the lock
		 * of what its parent was at; what criu has put into programs cures itself when it
		 * is gone. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (restore && job->cgroup_fd >= 0 && cgroup_enter(job->cgroup_fd) < 0)
			_exit(125);
		faults_visit(verb);
		child_exec(job, verb);
	}
	*ret_pid = pid;
	return 0;
}

/* The first line of a log that criu marks as an error, without its time stamp and source position;
 * else its last line. */
static char *log_error(int dirfd, const char *name)
{
	_cleanup_free_ char *text = NULL;
	char *line, *rest, *last = NULL;

	if (!name || file_read(dirfd, name, &text, NULL, NULL) < 0)
		return NULL;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		char *mark = strstr(line, "Error ("), *message;

		if (*line)
			last = line;
		/* criu's look at what the kernel can do calls a machine without /dev/net/tun an
		 * error, and goes on. */
		if (!mark || strstr(mark, "tun: Unable to create tun"))
			continue;
		message = strstr(mark, "): ");
		return strdup(message ? message + 3 : mark);
	}
	return last ? strdup(last) : NULL;
}

int criu_finish(const CriuJob *job, pid_t pid, Error *err)
{
	_cleanup_free_ char *out_name = text_format("%s.out", job->log);
	_cleanup_free_ char *message = NULL;
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_errno(err, -errno, "Waiting for criu");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	message = log_error(job->images_fd, job->log);
	if (!message)
		message = log_error(job->images_fd, out_name);
	if (WIFSIGNALED(status))
		return error_set(err, -EPROTO, "criu was killed by signal %d%s%s", WTERMSIG(status),
				 message ? ": " : "", message ? message : "");
	return error_set(err, -EPROTO, "criu: %s (exit status %d)",
			 message ? message : "no message", WEXITSTATUS(status));
}

int criu_version(int *ret_version, Error *err)
{
	const char *const argv[] = {CRIU_PROGRAM, "--version", NULL};
	_cleanup_free_ char *output = NULL;
	unsigned major = 0, minor = 0, patch = 0;
	const char *version;
	int r = process_run(argv, 10000, &output, err);

	if (r < 0) {
		(void)error_prefix(err, "Asking criu for its version");
		return error_hint(err, "install the package criu");
	}
	version = strstr(output, "Version: ");
	if (!version || sscanf(version, "Version: %u.%u.%u", &major, &minor, &patch) < 2)
		return error_set(err, -EPROTO, "criu --version prints no version");
	*ret_version = (int)(major * 10000 + minor * 100 + patch);
	return 0;
}
