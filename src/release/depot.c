/* SPDX-License-Identifier: Apache-2.0 */
#include "release/depot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define REMOVED_PREFIX ".removed-"
#define NEW_PREFIX     ".new"

void depot_free(Depot *depot)
{
	if (!depot)
		return;
	cleanup_close(&depot->lock_fd);
	cleanup_close(&depot->releases_fd);
	cleanup_close(&depot->fd);
	free(depot->path);
	free(depot);
}

static char *default_path(void)
{
	const char *data = getenv("XDG_DATA_HOME"); /* NOLINT(concurrency-mt-unsafe) */
	const char *home = getenv("HOME");          /* NOLINT(concurrency-mt-unsafe) */

	if (data && *data == '/')
		return text_format("%s/segue", data);
	return text_format("%s/.local/share/segue", home && *home ? home : "");
}

static int directory_open(int dirfd, const char *path, const char *name, int *ret_fd, Error *err)
{
	*ret_fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0 && errno == ENOENT)
		return error_set(err, -ENOENT,
				 "%s is not there; segue key new makes it, --dir names another",
				 name);
	return *ret_fd < 0 ? error_errno(err, -errno, "Opening %s", name) : 0;
}

int depot_open(const char *path, bool make, Depot **ret, Error *err)
{
	_cleanup_depot_ Depot *depot = calloc(1, sizeof(*depot));
	int r = 0;

	if (!depot)
		return error_errno(err, -ENOMEM, "Opening releases");
	depot->fd = depot->releases_fd = depot->lock_fd = -1;
	depot->path = path ? strdup(path) : default_path();
	if (!depot->path)
		return error_errno(err, -ENOMEM, "Opening releases");
	if (make)
		r = directory_make(AT_FDCWD, depot->path, 0755, err);
	if (r == 0)
		r = directory_open(AT_FDCWD, depot->path, depot->path, &depot->fd, err);
	if (r == 0 && make)
		r = directory_make(depot->fd, DEPOT_RELEASES, 0755, err);
	if (r == 0)
		r = directory_open(depot->fd, DEPOT_RELEASES, depot->path, &depot->releases_fd,
				   err);
	if (r == 0)
		*ret = steal_ptr(&depot);
	return r;
}

/* Whoever made those was killed: this one has the lock. */
static int leftovers_remove(int dirfd, Error *err)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!dir)
		return error_errno(err, -errno, "Listing releases");
	while ((entry = readdir(dir))) {
		int r = 0;

		if (text_has_prefix(entry->d_name, NEW_PREFIX) ||
		    text_has_prefix(entry->d_name, REMOVED_PREFIX))
			r = directory_remove(dirfd, entry->d_name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int depot_lock(Depot *depot, Error *err)
{
	_cleanup_close_ int fd = openat(depot->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	int r;

	if (fd < 0)
		return error_errno(err, -errno, "Opening %s/lock", depot->path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? error_set(
					 err, -EBUSY,
					 "Another segue is changing %s; try again when it is done",
					 depot->path)
			       : error_errno(err, -errno, "Locking %s", depot->path);
	r = leftovers_remove(depot->releases_fd, err);
	if (r == 0)
		depot->lock_fd = steal_fd(&fd);
	return r;
}

int depot_key_path(const Depot *depot, const char *name, const char *suffix, char **ret, Error *err)
{
	char *path;

	if (strchr(name, '/'))
		path = strdup(name);
	else if (name_is_valid(name))
		path = text_format("%s/" DEPOT_KEYS "/%s%s", depot->path, name, suffix);
	else
		return error_set(err, -EINVAL,
				 "\"%s\" is not the name of a key; write ./%s if it is a file",
				 name, name);
	if (!path)
		return error_errno(err, -ENOMEM, "Looking for key %s", name);
	*ret = path;
	return 0;
}

/* ---- releases ---- */

static int release_filter(const struct dirent *entry)
{
	return name_is_valid(entry->d_name);
}

static int name_order(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

int depot_names(const Depot *depot, char ***ret_names, size_t *ret_n, Error *err)
{
	struct dirent **entries;
	int n = scandirat(depot->releases_fd, ".", &entries, release_filter, name_order);
	char **names;
	bool complete;

	if (n < 0)
		return error_errno(err, -errno, "Listing %s", depot->path);
	names = calloc((size_t)n + 1, sizeof(*names));
	complete = names != NULL;
	for (int i = 0; i < n; i++) {
		if (names && complete)
			complete = (names[i] = strdup(entries[i]->d_name)) != NULL;
		free(entries[i]);
	}
	free(entries);
	if (!complete) {
		depot_names_free(names);
		return error_errno(err, -ENOMEM, "Listing %s", depot->path);
	}
	*ret_names = names;
	*ret_n = (size_t)n;
	return 0;
}

void depot_names_free(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

static int no_release(const char *name, Error *err)
{
	return error_set(err, -ENOENT,
			 "There is no release %s; segue release list shows those "
			 "there are",
			 name);
}

int depot_remove(Depot *depot, const char *name, Error *err)
{
	_cleanup_free_ char *removed = text_format(REMOVED_PREFIX "%s", name);

	if (!removed)
		return error_errno(err, -ENOMEM, "Removing release %s", name);
	if (!name_is_valid(name))
		return no_release(name, err);
	if (renameat(depot->releases_fd, name, depot->releases_fd, removed) < 0)
		return errno == ENOENT ? no_release(name, err)
				       : error_errno(err, -errno, "Removing release %s", name);
	return directory_remove(depot->releases_fd, removed, err);
}

void release_free(Release *release)
{
	if (!release)
		return;
	cleanup_close(&release->dir);
	free(release->bytes);
	manifest_free(release->manifest);
	free(release);
}

static int release_load(Release *release, Error *err)
{
	int r;

	if ((r = file_read_max(release->dir, MANIFEST_FILE, MANIFEST_MAX, &release->bytes,
			       &release->size, err)) < 0 ||
	    (r = signatures_read(release->dir, &release->signatures, err)) < 0)
		return r;
	r = manifest_parse(release->bytes, release->size, &release->manifest, err);
	if (r < 0)
		(void)error_prefix(err, MANIFEST_FILE);
	return r;
}

int release_open_at(int dirfd, Release **ret, Error *err)
{
	_cleanup_release_ Release *release = calloc(1, sizeof(*release));
	int r;

	if (!release)
		return error_errno(err, -ENOMEM, "Opening a release");
	release->dir = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
	if (release->dir < 0)
		return error_errno(err, -errno, "Opening a release");
	r = release_load(release, err);
	if (r == 0)
		*ret = steal_ptr(&release);
	return r;
}

int release_open(const Depot *depot, const char *name, Release **ret, Error *err)
{
	_cleanup_release_ Release *release = NULL;
	_cleanup_close_ int dir = -1;
	int r;

	if (!name_is_valid(name))
		return no_release(name, err);
	dir = openat(depot->releases_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? no_release(name, err)
				       : error_errno(err, -errno, "Opening release %s", name);
	r = release_open_at(dir, &release, err);
	/* Whoever renames a directory must not have one release taken for another. */
	if (r == 0 && strcmp(release->manifest->name, name) != 0)
		r = error_set(err, -EBADMSG, MANIFEST_FILE " is that of release %s",
			      release->manifest->name);
	if (r < 0) {
		(void)error_prefix(err, "Release %s", name);
		return r;
	}
	*ret = steal_ptr(&release);
	return 0;
}
