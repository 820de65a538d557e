/* SPDX-License-Identifier: Apache-2.0 */
/* Captures in a directory of any filesystem that the other kernel mounts too. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "store/store.h"

#define DISK_DEFAULT "/var/lib/segue/capture"

/* The nearest ancestor that exists: where the space is. */
static int disk_space(const char *path, int64_t *ret_free_bytes, Error *err)
{
	_cleanup_free_ char *copy = strdup(path);
	struct statvfs vfs;

	if (!copy)
		return error_errno(err, -ENOMEM, "Looking at %s", path);
	while (statvfs(copy, &vfs) < 0) {
		char *slash = strrchr(copy, '/');

		if (errno != ENOENT || !slash || slash == copy)
			return error_errno(err, -errno, "Looking at the filesystem of %s", path);
		*slash = '\0';
	}
	*ret_free_bytes = (int64_t)vfs.f_bavail * (int64_t)vfs.f_frsize;
	return 0;
}

static int disk_locate(const char *path, json_object **ret_location, int64_t *ret_free_bytes,
		       Error *err)
{
	const char *place = path && *path ? path : DISK_DEFAULT;
	int r;

	if (place[0] != '/')
		return error_set(err, -EINVAL, "StorePath=%s in segue.conf is not an absolute path",
				 place);
	r = disk_space(place, ret_free_bytes, err);
	if (r < 0)
		return r;
	*ret_location = json_object_new_object();
	json_put_string(*ret_location, "kind", "disk");
	json_put_string(*ret_location, "path", place);
	return 0;
}

static int disk_open(json_object *location, int *ret_dirfd, Error *err)
{
	const char *path;
	struct stat st;
	int fd, r = json_get_string(location, "path", &path, err);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, -errno, "Opening the captures in %s", path);
	/* Captures hold every secret of every program. */
	if (fstat(fd, &st) < 0 || st.st_uid != 0 || (st.st_mode & 077)) {
		(void)close(fd);
		return error_set(err, -EPERM,
				 "%s must belong to root alone; chown root: and chmod 700 it",
				 path);
	}
	*ret_dirfd = fd;
	return 0;
}

static int disk_wipe(json_object *location, Error *err)
{
	const char *path;
	int r = json_get_string(location, "path", &path, err);

	return r < 0 ? r : directory_remove(AT_FDCWD, path, err);
}

static int disk_reserve(json_object *location, int *ret_dirfd, Error *err)
{
	const char *path;
	int r = json_get_string(location, "path", &path, err);

	if (r == 0)
		r = disk_wipe(location, err);
	if (r == 0)
		r = directory_make(AT_FDCWD, path, 0700, err);
	return r < 0 ? r : disk_open(location, ret_dirfd, err);
}

static int disk_seal(json_object *location, int dirfd, Error *err)
{
	(void)location;
	return syncfs(dirfd) < 0 ? error_errno(err, -errno, "Syncing the captures") : 0;
}

const Store store_disk = {
	.name = "disk",
	.locate = disk_locate,
	.reserve = disk_reserve,
	.seal = disk_seal,
	.find = disk_open,
	.wipe = disk_wipe,
};
