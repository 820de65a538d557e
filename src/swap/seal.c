/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/seal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/sealed.h"

#define SEAL_FILE    "seal"
#define SEAL_MAGIC   "segue-capture"
#define SEAL_VERSION 1
#define SUMMED_MAX   ((off_t)64 * 1024)
#define DEPTH_MAX    16

/* ---- writing ---- */

static int file_sum(int dirfd, const char *name, off_t size, uint32_t *ret_sum, Error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r;

	*ret_sum = 0;
	if (size > SUMMED_MAX)
		return 0;
	r = file_read(dirfd, name, &text, &n, err);
	if (r == 0)
		*ret_sum = checksum_add(0, text, n);
	return r;
}

static int directory_list(int fd, const char *path, int depth, FILE *list, Error *err);

static int entry_list(int dirfd, const char *path, const char *name, int depth, FILE *list,
		      Error *err)
{
	_cleanup_free_ char *below = text_format("%s%s%s", path, *path ? "/" : "", name);
	struct stat st;
	uint32_t sum;
	int fd, r;

	if (!below)
		return error_errno(err, -ENOMEM, "Sealing the capture");
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, -errno, "Sealing %s", below);
	if (S_ISDIR(st.st_mode)) {
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		return fd < 0 ? error_errno(err, -errno, "Sealing %s", below)
			      : directory_list(fd, below, depth + 1, list, err);
	}
	if (!S_ISREG(st.st_mode) || strchr(below, '\n'))
		return 0;
	r = file_sum(dirfd, name, st.st_size, &sum, err);
	if (r == 0)
		(void)fprintf(list, "%08x %lld %s\n", sum, (long long)st.st_size, below);
	return r;
}

/* Closes `fd`. */
static int directory_list(int fd, const char *path, int depth, FILE *list, Error *err)
{
	_cleanup_closedir_ DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	int r = dir && depth < DEPTH_MAX ? 0 : error_set(err, -ELOOP, "Sealing %s", path);

	while (r == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			r = entry_list(fd, path, entry->d_name, depth, list, err);
	return r;
}

int seal_write(int dirfd, Error *err)
{
	_cleanup_free_ char *body = NULL, *text = NULL;
	size_t size;
	FILE *list = open_memstream(&body, &size);
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (!list || fd < 0) {
		cleanup_close(&fd);
		cleanup_fclose(&list);
		return error_errno(err, -ENOMEM, "Sealing the capture");
	}
	r = directory_list(fd, "", 0, list, err);
	if (fclose(list) != 0 && r == 0)
		r = error_errno(err, -ENOMEM, "Sealing the capture");
	if (r < 0)
		return r;
	text = sealed_make(SEAL_MAGIC, SEAL_VERSION, body);
	return text ? file_write_atomic(dirfd, SEAL_FILE, text, strlen(text), 0600, err)
		    : error_errno(err, -ENOMEM, "Sealing the capture");
}

/* ---- checking ---- */

static int line_check(int dirfd, const char *line, Error *err)
{
	char *after_sum, *path;
	unsigned long sum = strtoul(line, &after_sum, 16);
	long long size = strtoll(after_sum, &path, 10);
	uint32_t found = 0;
	struct stat st;

	if (*path != ' ')
		return error_set(err, -EBADMSG, "The seal of the capture has a line \"%s\"", line);
	path++;
	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size != size ||
	    file_sum(dirfd, path, size, &found, NULL) < 0 || found != sum)
		return error_set(err, -EBADMSG, "%s in the capture is not as it was written", path);
	return 0;
}

int seal_check(int dirfd, Error *err)
{
	_cleanup_free_ char *text = NULL;
	char *rest, *line;
	const char *body;
	size_t size;
	int r = file_read(dirfd, SEAL_FILE, &text, &size, err);

	if (r == 0)
		r = sealed_open(SEAL_MAGIC, SEAL_VERSION, text, size, &body, err);
	if (r != 0) {
		(void)error_prefix(err, "The seal of the capture");
		return r;
	}
	rest = text + (body - text);
	while (r == 0 && (line = strsep(&rest, "\n")))
		if (*line)
			r = line_check(dirfd, line, err);
	return r;
}
