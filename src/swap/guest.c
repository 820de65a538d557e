/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "swap/kexec.h"

#define PERIOD_MS 250
#define NICENESS  10

/* The last console= is where /dev/console leads; what is said has to be seen, however often.  A
 * guest that gets little of the processor seems to have no timer, and to be locked up. */
#define CMDLINE_OWN                                                                                \
	"console=ttyS0,115200 panic=-1 loglevel=6 printk.devkmsg=on no_timer_check nowatchdog"

int guest_cmdline(const char *cmdline, char **ret, Error *err)
{
	/* For the machine's memory, or for a console or debugger that the guest has not. */
	static const char *const foreign[] = {
		"cma",         "console",     "crashkernel", "default_hugepagesz",
		"earlycon",    "earlyprintk", "hugepages",   "hugepagesz",
		"hugetlb_cma", "kernelcore",  "kgdboc",      "kgdbwait",
		"mem",         "memmap",      "movablecore", "movable_node",
		"netconsole",  "quiet",       "reserve_mem", "swiotlb",
		NULL};
	_cleanup_free_ char *fit = NULL;
	int r = kexec_cmdline_without(cmdline, foreign, &fit, err);

	return r < 0 ? r : kexec_cmdline(fit, CMDLINE_OWN, ret, err);
}

/* TCG does string instructions element by element: a kernel that sees erms clears its pages byte by
 * byte.  And it is slow with five levels of page tables. */
static const char *processor_of(const Guest *guest)
{
	return strcmp(guest->accelerator, GUEST_KVM) == 0
		       ? "host"
		       : "max,la57=off,svm=off,erms=off,fsrm=off";
}

/* In the child: never returns. */
static void child_exec(const Guest *guest, int output, pid_t parent)
{
	const char *const argv[] = {GUEST_PROGRAM,
				    "-name",
				    "segue-rehearsal",
				    "-machine",
				    "pc",
				    "-accel",
				    guest->accelerator,
				    "-cpu",
				    processor_of(guest),
				    "-m",
				    "512M",
				    "-smp",
				    "1",
				    "-nodefaults",
				    "-no-user-config",
				    "-no-reboot",
				    "-display",
				    "none",
				    "-sandbox",
				    "on,obsolete=deny,elevateprivileges=deny,spawn=deny",
				    "-serial",
				    "stdio",
				    "-kernel",
				    guest->image,
				    "-initrd",
				    guest->initrd,
				    "-append",
				    guest->cmdline,
				    NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	(void)setsid();
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setpriority(PRIO_PROCESS, 0, NICENESS);
	if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		_exit(126);
	/* execv() takes char *const[]; it does not write to the strings. */
	(void)execv(GUEST_PROGRAM, (char *const *)(size_t)argv);
	_exit(127);
}

/* 1: it has ended, and so has what it says; 0: it is as it should be. */
static int console_read(int fd, GuestConsole *console)
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	char data[4096];
	ssize_t n;

	if (poll(&polled, 1, PERIOD_MS) <= 0)
		return 0;
	n = read(fd, data, sizeof(data));
	if (n < 0)
		return errno == EINTR ? 0 : 1;
	guest_console_feed(console, data, (size_t)n);
	return n == 0;
}

static int guest_watch(const Guest *guest, int fd, GuestConsole *console, Error *err)
{
	int64_t deadline_us = clock_monotonic_us() + (int64_t)guest->limit_s * 1000000;

	while (!console->ended) {
		if (console_read(fd, console) > 0)
			return 0;
		if (!guest->go_on(guest->userdata))
			return error_set(err, -EINTR, "The rehearsal was interrupted");
		if (clock_monotonic_us() > deadline_us)
			return error_set(err, -ETIMEDOUT, "The guest was not through within %d s",
					 guest->limit_s);
	}
	return 0;
}

static int guest_end(pid_t pid, const GuestConsole *console, int r, Error *err)
{
	int status = 0;

	if (r < 0 || console->ended)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0 || console->ended || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
		return r;
	return error_set(err, -EPROTO, GUEST_PROGRAM " failed: %s",
			 *console->last ? console->last : "it says nothing");
}

int guest_run(const Guest *guest, GuestConsole *console, Error *err)
{
	_cleanup_close_ int reader = -1;
	pid_t parent = getpid(), pid;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "Starting a guest");
	reader = fds[0];
	pid = fork();
	if (pid == 0)
		child_exec(guest, fds[1], parent);
	r = pid < 0 ? error_errno(err, -errno, "Starting a guest") : 0;
	(void)close(fds[1]);
	if (r < 0)
		return r;
	r = guest_watch(guest, reader, console, err);
	return guest_end(pid, console, r, err);
}
