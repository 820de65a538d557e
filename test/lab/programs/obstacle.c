/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that holds what no kernel hands to another, and waits for ever:
 *     obstacle device PATH       an open device
 *     obstacle trace             a process that is being traced, by its parent
 *     obstacle uring             an io_uring
 *     obstacle socket PATH       a listening socket that was bound as PATH.bound, and renamed
 * Prints "ready" when it does.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "obstacle: %s: %s\n", what, strerror(errno));
	return 1;
}

static int hold_device(const char *path)
{
	return open(path, O_RDONLY) < 0 ? fail(path) : 0;
}

static int hold_trace(void)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return fail("fork");
	if (pid == 0)
		for (;;)
			(void)pause();
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return fail("PTRACE_SEIZE");
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) < 0)
		return fail("PTRACE_INTERRUPT");
	return ptrace(PTRACE_CONT, pid, NULL, NULL) < 0 ? fail("PTRACE_CONT") : 0;
}

static int hold_uring(void)
{
	struct io_uring_params parameters = {0};

	return syscall(SYS_io_uring_setup, 8, &parameters) < 0 ? fail("io_uring_setup") : 0;
}

static int hold_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s.bound", path);
	(void)unlink(address.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 1) < 0)
		return fail("socket");
	return rename(address.sun_path, path) < 0 ? fail("rename") : 0;
}

int main(int argc, char *argv[])
{
	int r = 2;

	if (argc == 3 && strcmp(argv[1], "device") == 0)
		r = hold_device(argv[2]);
	else if (argc == 3 && strcmp(argv[1], "socket") == 0)
		r = hold_socket(argv[2]);
	else if (argc == 2 && strcmp(argv[1], "trace") == 0)
		r = hold_trace();
	else if (argc == 2 && strcmp(argv[1], "uring") == 0)
		r = hold_uring();
	if (r != 0)
		return r;
	printf("ready\n");
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}
