/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seventh thing that criu is given, see shim.c: two states of event descriptors that it does
 * not carry.  It takes them from /proc/PID/fdinfo/N, so what it reads there is changed for it.
 *
 * - A periodic timerfd that has expired and not been read shows no time left (timerfd_show() in the
 *   kernel's fs/timerfd.c); criu sets the timer to that, which disarms it for ever.  It is shown
 * one nanosecond left, so that it expires at once.
 *
 * - An eventfd made with EFD_SEMAPHORE is made again without (eventfd_open() in criu/eventfd.c).
 *   It is marked, with an open flag that criu carries and an eventfd never has, and made again
 *   properly when criu sets that flag.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "criu/next.h"

#define MARK O_NOATIME

/* ---- dump ---- */

/* Puts `changed` where the first `length` bytes of `line` are in the text; there is room for it. */
static void line_replace(char *text, const char *line, size_t length, const char *changed)
{
	char *at = text + (line - text);

	memmove(at + strlen(changed), line + length, strlen(line + length) + 1);
	(void)mempcpy(at, changed, strlen(changed));
}

static bool timer_change(char *text)
{
	static const char spent[] = "it_value: (0, 0)\n";
	char *value = strstr(text, spent);
	unsigned long long seconds, nanoseconds;

	if (!value || !strstr(text, "ticks: ") || strstr(text, "ticks: 0\n") ||
	    sscanf(value + strlen(spent), "it_interval: (%llu, %llu)", &seconds, &nanoseconds) !=
		    2 ||
	    (seconds == 0 && nanoseconds == 0))
		return false;
	line_replace(text, value, strlen(spent), "it_value: (0, 1)\n");
	return true;
}

static bool semaphore_change(char *text)
{
	char *flags = strstr(text, "flags:\t"), changed[32];

	if (!flags || !strstr(text, "eventfd-semaphore: 1"))
		return false;
	(void)snprintf(changed, sizeof(changed), "flags:\t0%lo",
		       strtoul(flags + strlen("flags:\t"), NULL, 8) | MARK);
	line_replace(text, flags, strcspn(flags, "\n"), changed);
	return true;
}

/* A descriptor with the changed text; `fd` itself if there is nothing to change. */
static int fdinfo_change(int fd)
{
	char text[4096 + 32];
	ssize_t n = pread(fd, text, 4096, 0);
	int changed;

	if (n <= 0 || n == 4096)
		return fd;
	text[n] = '\0';
	if (!timer_change(text) && !semaphore_change(text))
		return fd;
	changed = memfd_create("fdinfo", MFD_CLOEXEC);
	if (changed < 0 || write(changed, text, strlen(text)) != (ssize_t)strlen(text) ||
	    lseek(changed, 0, SEEK_SET) < 0) {
		if (changed >= 0)
			(void)close(changed);
		return fd;
	}
	(void)close(fd);
	return changed;
}

int openat64(int dirfd, const char *path, int flags, ...)
{
	static int (*real)(int, const char *, int, ...);
	mode_t mode = 0;
	va_list ap;
	int fd;

	if (!real)
		next_function("openat64", &real);
	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	fd = real(dirfd, path, flags, mode);
	return fd >= 0 && strncmp(path, "fdinfo/", strlen("fdinfo/")) == 0 ? fdinfo_change(fd) : fd;
}

/* ---- restore ---- */

static int last_fd = -1, marked_fd = -1;
static unsigned last_count;

int eventfd(unsigned count, int flags)
{
	static int (*real)(unsigned, int);

	if (!real)
		next_function("eventfd", &real);
	last_fd = real(count, flags);
	last_count = count;
	return last_fd;
}

static void semaphore_make(int fd)
{
	int made = eventfd(last_count, EFD_SEMAPHORE);

	last_fd = -1;
	if (made >= 0) {
		(void)dup2(made, fd);
		(void)close(made);
	}
}

int fcntl64(int fd, int command, ...)
{
	static int (*real)(int, int, ...);
	va_list ap;
	void *argument;

	if (!real)
		next_function("fcntl64", &real);
	va_start(ap, command);
	argument = va_arg(ap, void *);
	va_end(ap);
	if (command == F_SETFL && fd >= 0 && fd == last_fd) {
		long flags = (long)argument;

		last_fd = -1;
		if (flags & MARK) {
			semaphore_make(fd);
			marked_fd = fd;
		}
		argument = (void *)(flags & ~(long)MARK);
	}
	if (command == F_GETFL && fd >= 0 && fd == marked_fd) {
		/* criu looks whether its flags are set. */
		marked_fd = -1;
		return real(fd, command, argument) | MARK;
	}
	return real(fd, command, argument);
}
