/* SPDX-License-Identifier: Apache-2.0 */
#include "release/modules_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define BLOCK ((size_t)1 << 16)

/* Far above what Debian's largest kernel has; who signs may err. */
#define UNPACK_BYTES_MAX ((int64_t)8 << 30)
#define UNPACK_FILES_MAX 65536U

struct ModulesArchive {
	struct archive *archive;
	int fd;
	void *paths;      /* tree of those that are in it, see tsearch(3) */
	const char *path; /* of the file being added, in `paths` */
	int64_t left;     /* bytes of it */
};

static int archive_failed(struct archive *a, const char *what, const char *name, Error *err)
{
	int code = archive_errno(a);
	const char *text = archive_error_string(a);

	/* What the system says is clearer than that there was a "Write error". */
	if (code == ENOSPC || code == EDQUOT || code == EFBIG || code == EIO)
		text = NULL;
	/* Its own codes, for damaged content and the like. */
	if (code <= 0 || code == EILSEQ)
		code = EBADMSG;
	return error_set(err, -code, "%s %s: %s", what, name, text ? text : strerror(code));
}

bool path_is_inside(const char *path)
{
	if (*path == '/' || !*path)
		return false;
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 0 || (n == 1 && *path == '.') || (n == 2 && memcmp(path, "..", 2) == 0))
			return false;
		path += n;
		path += *path == '/';
	}
	return true;
}

/* ---- writing ---- */

static int text_order(const void *a, const void *b)
{
	return strcmp(a, b);
}

void modules_archive_free(ModulesArchive *m)
{
	if (!m)
		return;
	if (m->archive)
		(void)archive_write_free(m->archive);
	cleanup_close(&m->fd);
	tdestroy(m->paths, free);
	free(m);
}

int modules_archive_new(int dirfd, const char *name, ModulesArchive **ret, Error *err)
{
	ModulesArchive *m = calloc(1, sizeof(*m));
	int r = 0;

	if (!m)
		return error_errno(err, -ENOMEM, "Making %s", name);
	m->fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (m->fd < 0)
		r = error_errno(err, -errno, "Making %s", name);
	else if (!(m->archive = archive_write_new()))
		r = error_errno(err, -ENOMEM, "Making %s", name);
	else if (archive_write_set_format_gnutar(m->archive) != ARCHIVE_OK ||
		 archive_write_add_filter_zstd(m->archive) != ARCHIVE_OK ||
		 /* Padding to a tape's block would only be more to send. */
		 archive_write_set_bytes_in_last_block(m->archive, 1) != ARCHIVE_OK ||
		 archive_write_open_fd(m->archive, m->fd) != ARCHIVE_OK)
		r = archive_failed(m->archive, "Making", name, err);
	if (r < 0) {
		modules_archive_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

static int path_add(ModulesArchive *m, const char *path, Error *err)
{
	char *copy = strdup(path);
	char **node = copy ? tsearch(copy, &m->paths, text_order) : NULL;

	if (!node) {
		free(copy);
		return error_errno(err, -ENOMEM, "Packing %s", path);
	}
	if (*node != copy) {
		free(copy);
		return error_set(err, -EBADMSG, "%s is there twice", path);
	}
	m->path = copy;
	return 0;
}

int modules_archive_begin(ModulesArchive *m, const char *path, int64_t size, Error *err)
{
	struct archive_entry *entry;
	int r = path_add(m, path, err);

	if (r < 0)
		return r;
	entry = archive_entry_new();
	if (!entry)
		return error_errno(err, -ENOMEM, "Packing %s", path);
	/* Of the file only its content counts, so that the same kernel makes the same archive. */
	archive_entry_set_pathname(entry, path);
	archive_entry_set_mode(entry, S_IFREG | 0644);
	archive_entry_set_size(entry, size);
	archive_entry_set_mtime(entry, 0, 0);
	if (archive_write_header(m->archive, entry) != ARCHIVE_OK)
		r = archive_failed(m->archive, "Packing", path, err);
	archive_entry_free(entry);
	m->left = size;
	return r;
}

int modules_archive_add(ModulesArchive *m, const void *data, size_t size, Error *err)
{
	if ((int64_t)size > m->left)
		return error_set(err, -EBADMSG, "%s is longer than it was said to be", m->path);
	if (archive_write_data(m->archive, data, size) != (la_ssize_t)size)
		return archive_failed(m->archive, "Packing", m->path, err);
	m->left -= (int64_t)size;
	return 0;
}

int modules_archive_end(ModulesArchive *m, Error *err)
{
	if (m->left > 0)
		return error_set(err, -EBADMSG, "%s is shorter than it was said to be", m->path);
	return 0;
}

int modules_archive_close(ModulesArchive *m, Error *err)
{
	if (archive_write_close(m->archive) != ARCHIVE_OK)
		return archive_failed(m->archive, "Packing", "modules", err);
	return fsync(m->fd) < 0 ? error_errno(err, -errno, "Packing modules") : 0;
}

/* ---- unpacking ---- */

static void cleanup_reader(struct archive **a)
{
	if (*a)
		(void)archive_read_free(*a);
}

static int parents_make(int to, const char *path, Error *err)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *parent = slash ? strndup(path, (size_t)(slash - path)) : NULL;

	if (!slash)
		return 0;
	return parent ? directory_make(to, parent, 0755, err)
		      : error_errno(err, -ENOMEM, "Unpacking %s", path);
}

static int entry_write(struct archive *a, const char *path, int fd, int64_t *left, Error *err)
{
	_cleanup_free_ void *buffer = malloc(BLOCK);
	la_ssize_t n;
	int r;

	if (!buffer)
		return error_errno(err, -ENOMEM, "Unpacking %s", path);
	while ((n = archive_read_data(a, buffer, BLOCK)) > 0) {
		*left -= n;
		if (*left < 0)
			return error_set(err, -EFBIG, "Unpacking %s: it has more than %lld bytes",
					 path, (long long)UNPACK_BYTES_MAX);
		if ((r = file_write_all(fd, buffer, (size_t)n, err)) < 0) {
			(void)error_prefix(err, "Unpacking %s", path);
			return r;
		}
	}
	return n < 0 ? archive_failed(a, "Unpacking", path, err) : 0;
}

/* Signed or not: an archive has no say in where its files go.  No link is ever made in the tree, so
 * that no path leads through one. */
static int entry_unpack(struct archive *a, struct archive_entry *entry, int to, int64_t *left,
			Error *err)
{
	const char *path = archive_entry_pathname(entry);
	_cleanup_close_ int fd = -1;
	int r;

	if (!path || !path_is_inside(path) || text_has_suffix(path, "/") ||
	    archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry))
		return error_set(err, -EBADMSG,
				 "\"%.200s\" is not a file below the tree of modules",
				 path ? path : "");
	r = parents_make(to, path, err);
	if (r < 0)
		return r;
	fd = openat(to, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_errno(err, -errno, "Unpacking %s", path);
	return entry_write(a, path, fd, left, err);
}

static int reader_open(int fd, const char *name, struct archive **ret, Error *err)
{
	struct archive *a = *ret = archive_read_new();

	if (!a)
		return error_errno(err, -ENOMEM, "Reading %s", name);
	if (archive_read_support_filter_zstd(a) != ARCHIVE_OK ||
	    archive_read_support_format_tar(a) != ARCHIVE_OK ||
	    archive_read_open_fd(a, fd, BLOCK) != ARCHIVE_OK)
		return archive_failed(a, "Reading", name, err);
	return 0;
}

int modules_archive_unpack(int dirfd, const char *name, int to, Error *err)
{
	_cleanup_close_ int fd =
		openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	_cleanup_(cleanup_reader) struct archive *a = NULL;
	struct archive_entry *entry;
	int64_t left = UNPACK_BYTES_MAX;
	unsigned files = 0;
	int e, r;

	if (fd < 0)
		return error_errno(err, -errno, "Opening %s", name);
	r = reader_open(fd, name, &a, err);
	if (r < 0)
		return r;
	while ((e = archive_read_next_header(a, &entry)) == ARCHIVE_OK || e == ARCHIVE_WARN) {
		r = ++files > UNPACK_FILES_MAX
			    ? error_set(err, -EFBIG, "It has more than %u files", UNPACK_FILES_MAX)
			    : entry_unpack(a, entry, to, &left, err);
		if (r < 0) {
			(void)error_prefix(err, "%s", name);
			return r;
		}
	}
	return e == ARCHIVE_EOF ? 0 : archive_failed(a, "Reading", name, err);
}
