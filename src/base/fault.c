/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define FAULT_FILE      "/etc/segue/fault"
#define FAULT_FILE_MAX  4096
#define FAULT_PARAMETER "segue.fault="

/* What is left of the time of one that hangs, for whoever waits for its end. */
#define HANG_LIMIT_S 5

const char *const fault_kinds[FAULT_KINDS] = {
	[FAULT_ERROR] = "error",         [FAULT_IO] = "io-error", [FAULT_FULL] = "disk-full",
	[FAULT_NO_MEMORY] = "no-memory", [FAULT_CRASH] = "crash", [FAULT_DAEMON] = "daemon-crash",
	[FAULT_HANG] = "hang",           [FAULT_PANIC] = "panic", [FAULT_POWER] = "power-cut",
	[FAULT_TRUNCATE] = "truncate",   [FAULT_FLIP] = "flip",
};

/* ---- orders ---- */

static bool kind_find(const char *name, FaultKind *ret)
{
	for (int i = 0; i < FAULT_KINDS; i++)
		if (strcmp(fault_kinds[i], name) == 0) {
			*ret = (FaultKind)i;
			return true;
		}
	return false;
}

static bool line_find(char *line, const char *name, FaultKind *ret_kind, bool *ret_once)
{
	const char *words[3] = {"", "error", ""};
	char *word;

	for (size_t i = 0; i < 3 && (word = strsep(&line, " ")); i++)
		words[i] = word;
	*ret_once = strcmp(words[2], "once") == 0;
	return strcmp(words[0], name) == 0 && kind_find(words[1], ret_kind);
}

bool fault_find(const char *text, const char *name, FaultKind *ret_kind, bool *ret_once)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *line;

	while ((line = strsep(&rest, "\n")))
		if (line_find(line, name, ret_kind, ret_once))
			return true;
	return false;
}

/* Nobody else may have a say in it. */
static bool is_of_root(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 &&
	       !(st.st_mode & 022) && st.st_size <= FAULT_FILE_MAX;
}

static bool file_orders(const char *name, FaultKind *ret_kind)
{
	_cleanup_close_ int fd = open(FAULT_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[FAULT_FILE_MAX + 1];
	ssize_t n;
	bool once;

	if (fd < 0 || !is_of_root(fd))
		return false;
	n = read(fd, text, FAULT_FILE_MAX);
	text[n > 0 ? n : 0] = '\0';
	if (!fault_find(text, name, ret_kind, &once))
		return false;
	return !once || unlink(FAULT_FILE) == 0;
}

static bool command_line_orders(const char *name, FaultKind *ret_kind)
{
	_cleanup_free_ char *text = NULL;
	char *found, *separator;
	bool once;

	if (file_read_line(AT_FDCWD, "/proc/cmdline", &text, NULL) < 0)
		return false;
	found = strstr(text, FAULT_PARAMETER);
	if (!found)
		return false;
	found += strlen(FAULT_PARAMETER);
	found[strcspn(found, " ")] = '\0';
	separator = strchr(found, ':');
	if (separator)
		*separator = ' ';
	return fault_find(found, name, ret_kind, &once);
}

static bool is_ordered(const char *name, FaultKind *ret_kind)
{
	return file_orders(name, ret_kind) ||
	       (getpid() == 1 && command_line_orders(name, ret_kind));
}

/* ---- what happens ---- */

/* As loud as the console can be. */
static void console_tell(const char *name, FaultKind kind)
{
	_cleanup_close_ int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (log >= 0)
		(void)dprintf(log, "<0>segue: fault %s %s\n", name, fault_kinds[kind]);
}

static void process_end(void)
{
	/* PID 1 gets no signal that it does not handle. */
	if (getpid() != 1)
		(void)kill(getpid(), SIGKILL);
	_exit(EXIT_FAILURE);
}

static void stand_still(void)
{
	unsigned left = alarm(0);

	if (left > 0)
		(void)alarm(left < HANG_LIMIT_S ? left : HANG_LIMIT_S);
	for (;;)
		(void)pause();
}

static void happen(FaultKind kind)
{
	switch (kind) {
	case FAULT_CRASH:
		process_end();
		break;
	case FAULT_DAEMON:
		(void)kill(getppid(), SIGKILL);
		break;
	case FAULT_PANIC:
		(void)file_write_value(AT_FDCWD, "/proc/sysrq-trigger", "c", NULL);
		break;
	case FAULT_POWER:
		(void)alarm(0);
		stand_still();
		break;
	case FAULT_HANG:
		stand_still();
		break;
	default:
		break;
	}
}

static int fault_code(FaultKind kind)
{
	switch (kind) {
	case FAULT_ERROR:
		return -EPROTO;
	case FAULT_IO:
		return -EIO;
	case FAULT_FULL:
		return -ENOSPC;
	case FAULT_NO_MEMORY:
		return -ENOMEM;
	default:
		return 0;
	}
}

int fault_point(const char *name, Error *err)
{
	FaultKind kind;

	if (!is_ordered(name, &kind) || kind == FAULT_TRUNCATE || kind == FAULT_FLIP)
		return 0;
	if (fault_code(kind) < 0)
		return error_errno(err, fault_code(kind), "The fault %s was ordered in " FAULT_FILE,
				   name);
	console_tell(name, kind);
	happen(kind);
	return 0;
}

static bool file_flip(int fd, off_t at)
{
	unsigned char byte;

	if (pread(fd, &byte, 1, at) != 1)
		return false;
	byte ^= 1;
	return pwrite(fd, &byte, 1, at) == 1;
}

void fault_file(const char *name, int dirfd, const char *path)
{
	_cleanup_close_ int fd = -1;
	FaultKind kind;
	struct stat st;
	bool done;

	if (!is_ordered(name, &kind) || (kind != FAULT_TRUNCATE && kind != FAULT_FLIP))
		return;
	fd = openat(dirfd, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	done = kind == FAULT_FLIP ? file_flip(fd, st.st_size / 2)
				  : ftruncate(fd, st.st_size / 2) == 0;
	if (done && fsync(fd) == 0)
		console_tell(name, kind);
}
