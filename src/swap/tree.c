/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define DEPTH_MAX 64

static int data_copy(int from, int to, const struct stat *st, const char *name, Error *err)
{
	off_t at = 0;

	/* Only the parts with data: a sparse file stays sparse. */
	while (at < st->st_size) {
		off_t start = lseek(from, at, SEEK_DATA), end;

		if (start < 0 && errno == ENXIO)
			break;
		end = start < 0 ? -1 : lseek(from, start, SEEK_HOLE);
		if (end < 0)
			return error_errno(err, -errno, "Reading %s", name);
		while (start < end) {
			char buffer[65536];
			size_t want = (size_t)(end - start) < sizeof(buffer) ? (size_t)(end - start)
									     : sizeof(buffer);
			ssize_t n = pread(from, buffer, want, start);

			if (n < 0)
				return error_errno(err, -errno, "Reading %s", name);
			if (n == 0)
				break;
			if (pwrite(to, buffer, (size_t)n, start) != n)
				return error_errno(err, errno ? -errno : -ENOSPC, "Writing %s",
						   name);
			start += n;
		}
		at = end;
	}
	if (ftruncate(to, st->st_size) < 0)
		return error_errno(err, -errno, "Writing %s", name);
	return 0;
}

/* Attributes that the target filesystem does not have (trusted.* on some) are left behind. */
static void attributes_copy(int from, int to)
{
	char names[4096], value[4096];
	ssize_t n = flistxattr(from, names, sizeof(names));

	for (const char *name = names; n > 0 && name < names + n; name += strlen(name) + 1) {
		ssize_t size = fgetxattr(from, name, value, sizeof(value));

		if (size >= 0)
			(void)fsetxattr(to, name, value, (size_t)size, 0);
	}
}

static int owner_copy(int dirfd, const char *name, const struct stat *st, Error *err)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};

	if (fchownat(dirfd, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, -errno, "Setting the owner of %s", name);
	if (!S_ISLNK(st->st_mode) && fchmodat(dirfd, name, st->st_mode & 07777, 0) < 0)
		return error_errno(err, -errno, "Setting the mode of %s", name);
	(void)utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

/* What is opened may be another file than the one that was looked at: its owner counts, since its
 * content does, and what is no file any more is passed over like what has vanished. */
static int file_copy(int from_dirfd, int to_dirfd, const char *name, Error *err)
{
	_cleanup_close_ int from =
		openat(from_dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	_cleanup_close_ int to = -1;
	struct stat st;
	int r;

	if (from < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO))
		return 0;
	if (from < 0 || fstat(from, &st) < 0)
		return error_errno(err, -errno, "Opening %s", name);
	if (!S_ISREG(st.st_mode))
		return 0;
	(void)unlinkat(to_dirfd, name, 0);
	to = openat(to_dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return error_errno(err, -errno, "Making %s", name);
	r = data_copy(from, to, &st, name, err);
	if (r < 0)
		return r;
	attributes_copy(from, to);
	return owner_copy(to_dirfd, name, &st, err);
}

static int link_copy(int from_dirfd, int to_dirfd, const char *name, const struct stat *st,
		     Error *err)
{
	char target[4096];
	ssize_t n = readlinkat(from_dirfd, name, target, sizeof(target) - 1);

	if (n < 0)
		return errno == ENOENT ? 0 : error_errno(err, -errno, "Reading the link %s", name);
	target[n] = '\0';
	(void)unlinkat(to_dirfd, name, 0);
	if (symlinkat(target, to_dirfd, name) < 0)
		return error_errno(err, -errno, "Making the link %s", name);
	return owner_copy(to_dirfd, name, st, err);
}

static int node_copy(int to_dirfd, const char *name, const struct stat *st, Error *err)
{
	(void)unlinkat(to_dirfd, name, 0);
	if (mknodat(to_dirfd, name, st->st_mode & (S_IFMT | 07777), st->st_rdev) < 0)
		return error_errno(err, -errno, "Making the node %s", name);
	return owner_copy(to_dirfd, name, st, err);
}

/* Opens a directory that may be there already: tmpfs of the new boot hold some. */
static int directory_copy(int from_dirfd, int to_dirfd, const char *name, const struct stat *st,
			  Error *err)
{
	_cleanup_close_ int from = -1, to = -1;

	if (mkdirat(to_dirfd, name, 0700) < 0 && errno != EEXIST)
		return error_errno(err, -errno, "Making directory %s", name);
	from = openat(from_dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	to = openat(to_dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return error_errno(err, -errno, "Opening directory %s", name);
	if (from >= 0)
		attributes_copy(from, to);
	return owner_copy(to_dirfd, name, st, err);
}

static int entry_copy(int from_dirfd, int to_dirfd, const char *name, struct stat *ret_st,
		      Error *err)
{
	struct stat st;

	if (fstatat(from_dirfd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0) {
		*ret_st = (struct stat){0};
		return errno == ENOENT ? 0 : error_errno(err, -errno, "Looking at %s", name);
	}
	*ret_st = st;
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		return file_copy(from_dirfd, to_dirfd, name, err);
	case S_IFDIR:
		return directory_copy(from_dirfd, to_dirfd, name, &st, err);
	case S_IFLNK:
		return link_copy(from_dirfd, to_dirfd, name, &st, err);
	case S_IFSOCK:
		return 0;
	default:
		return node_copy(to_dirfd, name, &st, err);
	}
}

static int below_copy(int from_dirfd, int to_dirfd, const char *name, dev_t dev, int depth,
		      Error *err)
{
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_close_ int to = -1;
	struct dirent *entry;
	struct stat st;
	int from, r;

	if (depth > DEPTH_MAX)
		return error_set(err, -ELOOP, "%s is nested more than %d deep", name, DEPTH_MAX);
	from = openat(from_dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	to = openat(to_dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = from < 0 ? NULL : fdopendir(from);
	if (!dir || to < 0)
		return error_errno(err, -errno, "Opening directory %s", name);
	if (fstat(from, &st) < 0 || st.st_dev != dev)
		return 0;
	while ((entry = readdir(dir))) {
		struct stat child;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		r = entry_copy(from, to, entry->d_name, &child, err);
		if (r == 0 && S_ISDIR(child.st_mode) && child.st_dev == dev)
			r = below_copy(from, to, entry->d_name, dev, depth + 1, err);
		if (r < 0)
			return error_prefix(err, "%s", name);
		/* What was put inside changed its times. */
		if (S_ISDIR(child.st_mode))
			(void)owner_copy(to, entry->d_name, &child, NULL);
	}
	return 0;
}

/* Where a path leads to in both trees. */
typedef struct Walk {
	char *copy; /* of the path */
	const char *name;
	int from, to;
} Walk;

static void walk_end(Walk *walk)
{
	free(walk->copy);
	cleanup_close(&walk->from);
	cleanup_close(&walk->to);
}

static int walk_into(Walk *walk, int from, int to, const char *name)
{
	int next_from = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int next_to = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = next_from < 0 || next_to < 0 ? -errno : 0;

	cleanup_close(&walk->from);
	cleanup_close(&walk->to);
	walk->from = next_from;
	walk->to = next_to;
	return r;
}

/* Goes to the last component of the path, making the directories before it in the other tree.
 * Component by component, never through a symbolic link: the path may be under somebody else's
 * control.  0: something before it is no directory, and was copied as what it is; else 1. */
static int walk_begin(Walk *walk, int from_dirfd, int to_dirfd, const char *path, Error *err)
{
	char *name, *slash;
	struct stat st;
	int r;

	*walk = (Walk){strdup(path), "", -1, -1};
	if (!walk->copy)
		return error_errno(err, -ENOMEM, "Copying %s", path);
	r = walk_into(walk, from_dirfd, to_dirfd, ".");
	for (name = walk->copy; r == 0 && (slash = strchr(name, '/')); name = slash + 1) {
		*slash = '\0';
		r = entry_copy(walk->from, walk->to, name, &st, err);
		if (r < 0 || !S_ISDIR(st.st_mode))
			return r;
		r = walk_into(walk, walk->from, walk->to, name);
	}
	walk->name = name;
	return r < 0 ? error_errno(err, r, "Opening a directory of %s", path) : 1;
}

int tree_copy_entry(int from_dirfd, int to_dirfd, const char *path, Error *err)
{
	_cleanup_(walk_end) Walk walk;
	struct stat st;
	int r = walk_begin(&walk, from_dirfd, to_dirfd, path, err);

	return r <= 0 ? r : entry_copy(walk.from, walk.to, walk.name, &st, err);
}

int tree_copy(int from_dirfd, int to_dirfd, const char *path, Error *err)
{
	_cleanup_(walk_end) Walk walk;
	struct stat st;
	int r = walk_begin(&walk, from_dirfd, to_dirfd, path, err);

	if (r <= 0)
		return r;
	r = entry_copy(walk.from, walk.to, walk.name, &st, err);
	if (r < 0 || !S_ISDIR(st.st_mode))
		return r;
	return below_copy(walk.from, walk.to, walk.name, st.st_dev, 0, err);
}
