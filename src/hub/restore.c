/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "hub/db.h"

#define COPY_SIZE (64U << 10)

int restore_open(const char *path, Restore *ret, Error *err)
{
	int r = db_check_file(path, err);

	if (r < 0)
		return r;
	ret->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ret->fd < 0)
		return error_errno(err, -errno, "Opening %s", path);
	ret->open = true;
	return 0;
}

void restore_cancel(Restore *restore)
{
	if (restore->open)
		(void)close(restore->fd);
	restore->open = false;
}

static int bytes_copy(int from, int to, Error *err)
{
	char buffer[COPY_SIZE];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = read(from, buffer, sizeof(buffer))) != 0) {
		if (n < 0)
			return error_errno(err, -errno, "Reading the backup");
		r = file_write_all(to, buffer, (size_t)n, err);
	}
	return r;
}

static int copy_to(const Restore *restore, const char *path, Error *err)
{
	_cleanup_close_ int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return error_errno(err, -errno, "Making %s", path);
	r = bytes_copy(restore->fd, fd, err);
	if (r == 0 && fsync(fd) < 0)
		r = error_errno(err, -errno, "Writing %s", path);
	return r;
}

/* The journal of the one before must not be taken for that of this one. */
static int replace(const char *copy, const char *path, Error *err)
{
	_cleanup_free_ char *old = text_format("%s.old", path), *wal = text_format("%s-wal", path);
	_cleanup_free_ char *shm = text_format("%s-shm", path);

	if (!old || !wal || !shm)
		return error_errno(err, -ENOMEM, "Replacing %s", path);
	if ((rename(path, old) < 0 && errno != ENOENT) || (unlink(wal) < 0 && errno != ENOENT) ||
	    (unlink(shm) < 0 && errno != ENOENT) || rename(copy, path) < 0)
		return error_errno(err, -errno, "Replacing %s", path);
	return 0;
}

int restore_finish(Restore *restore, const char *directory, bool force, Error *err)
{
	_cleanup_free_ char *path = text_format("%s/" DB_FILE, directory);
	_cleanup_free_ char *copy = text_format("%s/.restored", directory);
	_cleanup_close_ int lock_fd = -1;
	int r;

	if (!path || !copy)
		return error_errno(err, -ENOMEM, "Restoring %s", directory);
	if ((r = directory_make(AT_FDCWD, directory, 0700, err)) < 0 ||
	    (r = db_lock(directory, &lock_fd, err)) < 0)
		return r;
	if (!force && path_exists(AT_FDCWD, path))
		return error_set(err, -EEXIST,
				 "There is a hub in %s; --force replaces it, and keeps what is "
				 "there as " DB_FILE ".old",
				 directory);
	r = copy_to(restore, copy, err);
	if (r == 0)
		r = replace(copy, path, err);
	if (r < 0)
		(void)unlink(copy);
	return r;
}
