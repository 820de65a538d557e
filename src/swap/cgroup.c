/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

int cgroup_open(const char *cgroup, bool make, int *ret_fd, Error *err)
{
	_cleanup_free_ char *path = text_format("/sys/fs/cgroup%s", cgroup);
	int fd, r;

	if (!path)
		return error_errno(err, -ENOMEM, "Opening %s", cgroup);
	if (make) {
		r = directory_make(AT_FDCWD, path, 0755, err);
		if (r < 0)
			return r;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, -errno, "Opening the control group %s", cgroup);
	*ret_fd = fd;
	return 0;
}

/* Whether cgroup.events has the line. */
static bool events_say(int events_fd, const char *line)
{
	char text[256];
	ssize_t n = pread(events_fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return false;
	text[n] = '\0';
	return strstr(text, line) != NULL;
}

/* A change of cgroup.events shows as POLLPRI. */
static int events_wait(int events_fd, const char *line, int limit_ms)
{
	int64_t deadline = clock_monotonic_us() + (int64_t)limit_ms * 1000;

	while (!events_say(events_fd, line)) {
		struct pollfd p = {.fd = events_fd, .events = POLLPRI};
		int64_t left = deadline - clock_monotonic_us();

		if (left <= 0)
			return -ETIMEDOUT;
		(void)poll(&p, 1, (int)(left / 1000) + 1);
	}
	return 0;
}

int cgroup_freeze(int cgroup_fd, const char *cgroup, int limit_ms, Error *err)
{
	_cleanup_close_ int events = openat(cgroup_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	int r;

	if (events < 0)
		return error_errno(err, -errno, "Opening cgroup.events of %s", cgroup);
	r = file_write_value(cgroup_fd, "cgroup.freeze", "1", err);
	if (r < 0)
		return error_prefix(err, "%s", cgroup);
	if (events_wait(events, "frozen 1", limit_ms) < 0)
		return error_set(err, -ETIMEDOUT,
				 "Freezing %s took longer than %d s; a process of it hangs in the "
				 "kernel",
				 cgroup, limit_ms / 1000);
	return 0;
}

int cgroup_thaw(int cgroup_fd, const char *cgroup, Error *err)
{
	int r = file_write_value(cgroup_fd, "cgroup.freeze", "0", err);

	return r < 0 ? error_prefix(err, "%s", cgroup) : 0;
}

int cgroup_kill(int cgroup_fd, const char *cgroup, Error *err)
{
	int r = file_write_value(cgroup_fd, "cgroup.kill", "1", err);

	return r < 0 ? error_prefix(err, "%s", cgroup) : 0;
}

int cgroup_wait_empty(int cgroup_fd, const char *cgroup, int limit_ms, Error *err)
{
	_cleanup_close_ int events = openat(cgroup_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);

	if (events < 0)
		return error_errno(err, -errno, "Opening cgroup.events of %s", cgroup);
	if (events_wait(events, "populated 0", limit_ms) < 0)
		return error_set(err, -ETIMEDOUT, "Processes of %s did not end within %d s", cgroup,
				 limit_ms / 1000);
	return 0;
}
