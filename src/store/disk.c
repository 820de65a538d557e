/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captures in a directory of any filesystem that the other kernel mounts too.  StorePath= may be
 * anybody's directory, as /srv: only one below it, of segue's own, is ever emptied.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "store/store.h"

#define DISK_DEFAULT "/var/lib/segue/capture"
#define DISK_OWN     "segue-capture"

/* The nearest ancestor that exists: where the space is. */
static int disk_space(const char *path, int64_t *ret_free_bytes, Error *err)
{
	_cleanup_free_ char *copy = strdup(path);
	struct statvfs vfs;

	if (!copy)
		return error_errno(err, -ENOMEM, "Looking at %s", path);
	while (statvfs(*copy ? copy : "/", &vfs) < 0) {
		char *slash = strrchr(copy, '/');

		if (errno != ENOENT || !slash)
			return error_errno(err, -errno, "Looking at the filesystem of %s", path);
		*slash = '\0';
	}
	*ret_free_bytes = (int64_t)vfs.f_bavail * (int64_t)vfs.f_frsize;
	return 0;
}

/* Opens what StorePath= names.  Whoever else may write there could put something in place of the
 * captures. */
static int top_open(const char *top, int *ret_fd, Error *err)
{
	_cleanup_close_ int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, -errno, "Opening %s (StorePath=)", top);
	if (st.st_uid != 0 || ((st.st_mode & 022) && !(st.st_mode & S_ISVTX)))
		return error_set(err, -EPERM,
				 "%s (StorePath=) must be writable by root alone; chown root: and "
				 "chmod go-w it",
				 top);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int own_open(int top_fd, const char *top, int *ret_fd, Error *err)
{
	_cleanup_close_ int fd =
		openat(top_fd, DISK_OWN, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, -errno, "Opening the captures in %s/" DISK_OWN, top);
	/* Captures hold every secret of every program; and a directory that others can look into is
	 * none that segue has made. */
	if (st.st_uid != 0 || (st.st_mode & 077))
		return error_set(err, -EPERM,
				 "%s/" DISK_OWN " is not segue's, whose directory belongs to root "
				 "alone; rename it, or set another StorePath= in segue.conf",
				 top);
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* The directory above the captures.  The caller frees it. */
static int location_top(json_object *location, char **ret_top, Error *err)
{
	const char *path;
	int r = json_get_string(location, "path", &path, err);

	if (r < 0)
		return r;
	if (path[0] != '/' || !text_has_suffix(path, "/" DISK_OWN))
		return error_set(err, -EBADMSG, "%s is no directory for captures", path);
	*ret_top = strlen(path) == strlen("/" DISK_OWN)
			   ? strdup("/")
			   : strndup(path, strlen(path) - strlen("/" DISK_OWN));
	return *ret_top ? 0 : error_errno(err, -ENOMEM, "Looking at %s", path);
}

static int disk_locate(const char *path, json_object **ret_location, int64_t *ret_free_bytes,
		       Error *err)
{
	const char *place = path && *path ? path : DISK_DEFAULT;
	_cleanup_free_ char *own = NULL;
	_cleanup_close_ int fd = -1;
	size_t n = strlen(place);
	int r = 0;

	if (place[0] != '/')
		return error_set(err, -EINVAL, "StorePath=%s in segue.conf is not an absolute path",
				 place);
	while (n > 0 && place[n - 1] == '/')
		n--;
	own = text_format("%.*s/" DISK_OWN, (int)n, place);
	if (!own)
		return error_errno(err, -ENOMEM, "Looking at %s", place);
	if (path_exists(AT_FDCWD, place))
		r = top_open(place, &fd, err);
	if (r == 0)
		r = disk_space(own, ret_free_bytes, err);
	if (r < 0)
		return r;
	*ret_location = json_object_new_object();
	json_put_string(*ret_location, "kind", "disk");
	json_put_string(*ret_location, "path", own);
	return 0;
}

static int disk_find(json_object *location, int *ret_dirfd, Error *err)
{
	_cleanup_free_ char *top = NULL;
	_cleanup_close_ int fd = -1;
	int r = location_top(location, &top, err);

	if (r == 0)
		r = fault_point("store-find", err);
	if (r == 0)
		r = top_open(top, &fd, err);
	return r < 0 ? r : own_open(fd, top, ret_dirfd, err);
}

static bool disk_holds(json_object *location)
{
	const char *path = json_opt_string(location, "path", NULL);

	return path && path_exists(AT_FDCWD, path);
}

/* Removes what segue has made, and nothing that somebody else has by this name. */
static int own_remove(int top_fd, const char *top, Error *err)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (!path_exists(top_fd, DISK_OWN))
		return 0;
	r = own_open(top_fd, top, &fd, err);
	return r < 0 ? r : directory_remove(top_fd, DISK_OWN, err);
}

static int disk_wipe(json_object *location, Error *err)
{
	_cleanup_free_ char *top = NULL;
	_cleanup_close_ int fd = -1;
	int r = location_top(location, &top, err);

	if (r == 0)
		r = fault_point("store-wipe", err);
	if (r < 0 || !path_exists(AT_FDCWD, top))
		return r;
	r = top_open(top, &fd, err);
	return r < 0 ? r : own_remove(fd, top, err);
}

static int disk_reserve(json_object *location, int *ret_dirfd, Error *err)
{
	_cleanup_free_ char *top = NULL;
	_cleanup_close_ int fd = -1;
	int r = fault_point("store-reserve", err);

	if (r == 0)
		r = location_top(location, &top, err);
	if (r == 0 && !path_exists(AT_FDCWD, top))
		r = directory_make(AT_FDCWD, top, 0700, err);
	if (r == 0)
		r = top_open(top, &fd, err);
	if (r == 0)
		r = own_remove(fd, top, err);
	if (r == 0 && mkdirat(fd, DISK_OWN, 0700) < 0)
		r = error_errno(err, -errno, "Making directory %s/" DISK_OWN, top);
	return r < 0 ? r : own_open(fd, top, ret_dirfd, err);
}

static int disk_seal(json_object *location, int dirfd, Error *err)
{
	int r = fault_point("store-seal", err);

	(void)location;
	if (r < 0)
		return r;
	/* sync(2) tells of no error. */
	sync();
	return syncfs(dirfd) < 0 ? error_errno(err, -errno, "Syncing the captures") : 0;
}

const Store store_disk = {
	.name = "disk",
	.locate = disk_locate,
	.reserve = disk_reserve,
	.seal = disk_seal,
	.find = disk_find,
	.holds = disk_holds,
	.wipe = disk_wipe,
};
