/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

static int open_without_links(int dirfd, const char *path, int flags, uint64_t resolve, Error *err)
{
	struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
			       .resolve = resolve | RESOLVE_NO_SYMLINKS};
	int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	if (fd >= 0)
		return fd;
	if (errno == ELOOP)
		return error_set(err, -ELOOP, "Opening %s: there is a symbolic link in the way",
				 path);
	return error_errno(err, -errno, "Opening %s", path);
}

int path_open(const char *path, int flags, Error *err)
{
	if (*path != '/')
		return error_set(err, -EINVAL, "Opening %s: it is not an absolute path", path);
	return open_without_links(AT_FDCWD, path, flags, 0, err);
}

int path_open_below(int dirfd, const char *path, int flags, Error *err)
{
	return open_without_links(dirfd, path, flags, RESOLVE_BENEATH, err);
}

static int component_reach(int dirfd, const char *name, mode_t mode)
{
	int fd;

	if (mkdirat(dirfd, name, mode) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int directory_reach(const char *path, mode_t mode, Error *err)
{
	_cleanup_free_ char *copy = strdup(path);
	_cleanup_close_ int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *rest = copy, *name;

	if (!copy || fd < 0)
		return error_errno(err, copy ? -errno : -ENOMEM, "Opening %s", path);
	if (*path != '/')
		return error_set(err, -EINVAL, "Opening %s: it is not an absolute path", path);
	while ((name = strsep(&rest, "/"))) {
		int next;

		if (*name == '\0')
			continue;
		next = component_reach(fd, name, mode);
		if (next < 0)
			return error_errno(err, next, "Opening %s", path);
		(void)close(fd);
		fd = next;
	}
	return steal_fd(&fd);
}

int directory_reach_above(const char *path, mode_t mode, Error *err)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *above = slash ? strndup(path, (size_t)(slash - path) + 1) : NULL;

	if (!slash)
		return error_set(err, -EINVAL, "Opening %s: it is not an absolute path", path);
	return above ? directory_reach(above, mode, err)
		     : error_errno(err, -ENOMEM, "Opening %s", path);
}

FdPath fd_path(int fd)
{
	FdPath path;

	(void)snprintf(path.text, sizeof(path.text), "/proc/self/fd/%d", fd);
	return path;
}
