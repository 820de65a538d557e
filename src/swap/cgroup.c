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

static bool is_frozen(int events_fd)
{
	char text[256];
	ssize_t n = pread(events_fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return false;
	text[n] = '\0';
	return strstr(text, "frozen 1") != NULL;
}

int cgroup_freeze(int cgroup_fd, const char *cgroup, int limit_ms, Error *err)
{
	_cleanup_close_ int events = openat(cgroup_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	int64_t deadline = clock_monotonic_us() + (int64_t)limit_ms * 1000;
	int r;

	if (events < 0)
		return error_errno(err, -errno, "Opening cgroup.events of %s", cgroup);
	r = file_write_value(cgroup_fd, "cgroup.freeze", "1", err);
	if (r < 0)
		return error_prefix(err, "%s", cgroup);
	/* A change of cgroup.events shows as POLLPRI. */
	while (!is_frozen(events)) {
		struct pollfd p = {.fd = events, .events = POLLPRI};
		int64_t left = deadline - clock_monotonic_us();

		if (left <= 0)
			return error_set(err, -ETIMEDOUT,
					 "Freezing %s took longer than %d s; a process of it hangs "
					 "in the kernel",
					 cgroup, limit_ms / 1000);
		(void)poll(&p, 1, (int)(left / 1000) + 1);
	}
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
