/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define FILE_READ_MAX (64U << 20)

static int descriptor_read(int fd, const char *path, size_t max, char **ret_text, size_t *ret_size,
			   Error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0, room = 0;

	for (;;) {
		ssize_t n;

		if (size + 1 >= room) {
			char *more = realloc(text, room = room ? room * 2 : 4096);

			if (!more)
				return error_errno(err, -ENOMEM, "Reading %s", path);
			text = more;
		}
		n = read(fd, text + size, room - size - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, -errno, "Reading %s", path);
		if (n == 0)
			break;
		size += (size_t)n;
		if (size > max)
			return error_errno(err, -EFBIG, "Reading %s", path);
	}
	text[size] = '\0';
	*ret_text = steal_ptr(&text);
	if (ret_size)
		*ret_size = size;
	return 0;
}

int file_read(int dirfd, const char *path, char **ret_text, size_t *ret_size, Error *err)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, -errno, "Opening %s", path);
	return descriptor_read(fd, path, FILE_READ_MAX, ret_text, ret_size, err);
}

int file_read_max(int dirfd, const char *path, size_t max, char **ret_text, size_t *ret_size,
		  Error *err)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, -errno, "Opening %s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s is not a file", path);
	return descriptor_read(fd, path, max, ret_text, ret_size, err);
}

int file_read_line(int dirfd, const char *path, char **ret_text, Error *err)
{
	char *text;
	size_t size;
	int r = file_read(dirfd, path, &text, &size, err);

	if (r < 0)
		return r;
	while (size > 0 && text[size - 1] == '\n')
		text[--size] = '\0';
	*ret_text = text;
	return 0;
}

int file_write_all(int fd, const void *data, size_t size, Error *err)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, -errno, "Writing");
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int file_write_value(int dirfd, const char *path, const char *value, Error *err)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);
	size_t size = strlen(value);

	if (fd < 0)
		return error_errno(err, -errno, "Opening %s", path);
	if (write(fd, value, size) != (ssize_t)size)
		return error_errno(err, -errno, "Writing \"%s\" to %s", value, path);
	return 0;
}

static int directory_sync(int dirfd, const char *path, Error *err)
{
	_cleanup_free_ char *copy = strdup(path);
	_cleanup_close_ int fd = -1;

	if (!copy)
		return error_errno(err, -ENOMEM, "Syncing %s", path);
	fd = openat(dirfd, dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return error_errno(err, -errno, "Syncing the directory of %s", path);
	return 0;
}

/* Puts what is written in `temporary` to `path`. */
static int file_place(int dirfd, const char *temporary, const char *path, bool replace)
{
	if (replace)
		return renameat(dirfd, temporary, dirfd, path);
	/* Unlike RENAME_NOREPLACE every filesystem has it. */
	if (linkat(dirfd, temporary, dirfd, path, 0) < 0)
		return -1;
	return unlinkat(dirfd, temporary, 0);
}

static int file_write_whole(int dirfd, const char *path, const void *data, size_t size, mode_t mode,
			    bool replace, Error *err)
{
	_cleanup_free_ char *temporary = text_format("%s.new", path);
	_cleanup_close_ int fd = -1;
	int r;

	if (!temporary)
		return error_errno(err, -ENOMEM, "Writing %s", path);
	(void)unlinkat(dirfd, temporary, 0);
	fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return error_errno(err, -errno, "Making %s", temporary);
	r = file_write_all(fd, data, size, err);
	if (r < 0) {
		(void)unlinkat(dirfd, temporary, 0);
		return error_prefix(err, "%s", temporary);
	}
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0 ||
	    file_place(dirfd, temporary, path, replace) < 0) {
		r = error_errno(err, -errno, "Writing %s", path);
		(void)unlinkat(dirfd, temporary, 0);
		return r;
	}
	return directory_sync(dirfd, path, err);
}

int file_write_atomic(int dirfd, const char *path, const void *data, size_t size, mode_t mode,
		      Error *err)
{
	return file_write_whole(dirfd, path, data, size, mode, true, err);
}

int file_write_new(int dirfd, const char *path, const void *data, size_t size, mode_t mode,
		   Error *err)
{
	return file_write_whole(dirfd, path, data, size, mode, false, err);
}

int directory_make(int dirfd, const char *path, mode_t mode, Error *err)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return error_errno(err, -ENOMEM, "Making directory %s", path);
	for (char *p = copy + 1;; p++) {
		char end = *p;

		if (end != '/' && end != '\0')
			continue;
		*p = '\0';
		if (mkdirat(dirfd, copy, mode) < 0 && errno != EEXIST)
			return error_errno(err, -errno, "Making directory %s", copy);
		if (end == '\0')
			return 0;
		*p = end;
	}
}

static int directory_empty(int fd, dev_t dev, const char *path, Error *err)
{
	_cleanup_closedir_ DIR *dir = fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		(void)close(fd);
		return error_errno(err, -errno, "Opening %s", path);
	}
	while ((entry = readdir(dir))) {
		struct stat st;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_errno(err, -errno, "Looking at %s/%s", path, entry->d_name);
		if (S_ISDIR(st.st_mode)) {
			int sub, r;

			if (st.st_dev != dev)
				return error_set(err, -EXDEV,
						 "%s/%s is a mount point; unmount it first", path,
						 entry->d_name);
			sub = openat(dirfd(dir), entry->d_name,
				     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (sub < 0)
				return error_errno(err, -errno, "Opening %s/%s", path,
						   entry->d_name);
			r = directory_empty(sub, dev, path, err);
			if (r < 0)
				return r;
		}
		if (unlinkat(dirfd(dir), entry->d_name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0)
			return error_errno(err, -errno, "Removing %s/%s", path, entry->d_name);
	}
	return 0;
}

int directory_remove(int dirfd, const char *path, Error *err)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return error_errno(err, -errno, "Opening %s", path);
	if (fstat(fd, &st) < 0) {
		r = error_errno(err, -errno, "Looking at %s", path);
		(void)close(fd);
		return r;
	}
	r = directory_empty(fd, st.st_dev, path, err);
	if (r < 0)
		return r;
	if (unlinkat(dirfd, path, AT_REMOVEDIR) < 0)
		return error_errno(err, -errno, "Removing %s", path);
	return 0;
}

bool path_exists(int dirfd, const char *path)
{
	return faccessat(dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

char *text_format(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : text;
}

bool text_has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_has_suffix(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);

	return n >= m && strcmp(text + n - m, suffix) == 0;
}

void text_make_plain(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == '\x7f')
			*text = '?';
	}
}
