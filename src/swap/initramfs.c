/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define MODULE_STEP ((size_t)1 << 20)
#define MODULE_MAX  ((size_t)256 << 20) /* far above any; the largest of Debian has some 20 MiB */

/* An archive being written, and the directories in it so far. */
typedef struct Writer {
	struct archive *archive;
	char **directories;
	size_t n_directories;
} Writer;

static void writer_free(Writer *w)
{
	for (size_t i = 0; i < w->n_directories; i++)
		free(w->directories[i]);
	free(w->directories);
	if (w->archive)
		(void)archive_write_free(w->archive);
}
#define _cleanup_writer_ _cleanup_(writer_free)

static void cleanup_reader(struct archive **a)
{
	if (*a)
		(void)archive_read_free(*a);
}

static int archive_failed(struct archive *a, const char *what, const char *name, Error *err)
{
	int code = archive_errno(a);
	const char *text = archive_error_string(a);

	/* Its own codes, for damaged content and the like. */
	if (code <= 0 || code == EILSEQ)
		code = EBADMSG;
	return error_set(err, -code, "%s %s: %s", what, name, text ? text : strerror(code));
}

/* ---- entries ---- */

/* Adds one entry; `path` begins with "/", which the archive goes without. */
static int writer_add(Writer *w, const char *path, mode_t mode, dev_t device, const void *data,
		      size_t size, Error *err)
{
	struct archive_entry *entry = archive_entry_new();
	int r = 0;

	if (!entry)
		return error_errno(err, -ENOMEM, "Packing %s", path);
	archive_entry_set_pathname(entry, path + 1);
	archive_entry_set_mode(entry, mode);
	archive_entry_set_nlink(entry, 1);
	archive_entry_set_size(entry, (int64_t)size);
	archive_entry_set_mtime(entry, 0, 0);
	if (S_ISCHR(mode))
		archive_entry_set_rdev(entry, device);
	if (archive_write_header(w->archive, entry) != ARCHIVE_OK ||
	    (size > 0 && archive_write_data(w->archive, data, size) != (la_ssize_t)size))
		r = archive_failed(w->archive, "Packing", path, err);
	archive_entry_free(entry);
	return r;
}

/* The kernel makes no directory that is not in the archive, and wants it before what is in it. */
static int writer_add_directory(Writer *w, const char *path, Error *err)
{
	char **more;

	for (size_t i = 0; i < w->n_directories; i++)
		if (strcmp(w->directories[i], path) == 0)
			return 0;
	more = realloc(w->directories, (w->n_directories + 1) * sizeof(*more));
	if (!more)
		return error_errno(err, -ENOMEM, "Packing %s", path);
	w->directories = more;
	more[w->n_directories] = strdup(path);
	if (!more[w->n_directories])
		return error_errno(err, -ENOMEM, "Packing %s", path);
	w->n_directories++;
	return writer_add(w, path, S_IFDIR | 0755, 0, NULL, 0, err);
}

static int writer_add_parents(Writer *w, const char *path, Error *err)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return error_errno(err, -ENOMEM, "Packing %s", path);
	for (char *slash = copy; (slash = strchr(slash + 1, '/'));) {
		int r;

		*slash = '\0';
		r = writer_add_directory(w, copy, err);
		if (r < 0)
			return r;
		*slash = '/';
	}
	return 0;
}

static int writer_add_file(Writer *w, const char *path, const char *source, mode_t mode, Error *err)
{
	_cleanup_free_ char *data = NULL;
	struct stat st;
	size_t size;
	int r;

	if (path[0] != '/' || path[1] == '\0')
		return error_set(err, -EINVAL, "%s is not an absolute path to pack to", path);
	if (stat(source, &st) < 0)
		return error_errno(err, -errno, "Opening %s", source);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s is not a regular file", source);
	if ((r = file_read(AT_FDCWD, source, &data, &size, err)) < 0 ||
	    (r = writer_add_parents(w, path, err)) < 0)
		return r;
	return writer_add(w, path, S_IFREG | (mode ? mode : st.st_mode & 0777), 0, data, size, err);
}

/* ---- modules ---- */

static int module_unpack(struct archive *a, const char *path, char **ret, size_t *ret_size,
			 Error *err)
{
	_cleanup_free_ char *data = NULL;
	size_t size = 0, room = 0;

	for (;;) {
		la_ssize_t n;

		if (size == room) {
			char *more = room < MODULE_MAX ? realloc(data, room + MODULE_STEP) : NULL;

			if (!more)
				return error_errno(err, room < MODULE_MAX ? -ENOMEM : -EFBIG,
						   "Reading module %s", path);
			data = more;
			room += MODULE_STEP;
		}
		n = archive_read_data(a, data + size, room - size);
		if (n < 0)
			return archive_failed(a, "Reading module", path, err);
		if (n == 0)
			break;
		size += (size_t)n;
	}
	/* What no filter recognised is passed on as it is. */
	if (size < 4 || memcmp(data, "\177ELF", 4) != 0)
		return error_set(err, -EBADMSG,
				 "Module %s is damaged, or packed in a way that is not known; "
				 "install its kernel's package again",
				 path);
	*ret = steal_ptr(&data);
	*ret_size = size;
	return 0;
}

/* The content of a module, unpacked.  The caller frees it. */
static int module_read(const char *path, char **ret, size_t *ret_size, Error *err)
{
	_cleanup_(cleanup_reader) struct archive *a = archive_read_new();
	struct archive_entry *entry;

	if (!a)
		return error_errno(err, -ENOMEM, "Reading module %s", path);
	/* Those that modules are packed with, and not _all, which would run programs for some. */
	if (archive_read_support_filter_xz(a) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(a) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
	    archive_read_support_format_raw(a) != ARCHIVE_OK ||
	    archive_read_open_filename(a, path, 1 << 16) != ARCHIVE_OK ||
	    archive_read_next_header(a, &entry) != ARCHIVE_OK)
		return archive_failed(a, "Reading module", path, err);
	return module_unpack(a, path, ret, ret_size, err);
}

char *initramfs_module_path(const ModuleSet *modules, size_t index)
{
	return text_format("/segue/modules/%02zu-%s.ko", index, modules_name(modules, index));
}

static int writer_add_module(Writer *w, const ModuleSet *modules, size_t index, Error *err)
{
	_cleanup_free_ char *path = initramfs_module_path(modules, index);
	_cleanup_free_ char *data = NULL;
	size_t size;
	int r;

	if (!path)
		return error_errno(err, -ENOMEM, "Packing %s", modules_path(modules, index));
	if ((r = module_read(modules_path(modules, index), &data, &size, err)) < 0 ||
	    (r = writer_add_parents(w, path, err)) < 0)
		return r;
	return writer_add(w, path, S_IFREG | 0600, 0, data, size, err);
}

/* ---- the whole ---- */

static int writer_add_all(Writer *w, const Initramfs *i, Error *err)
{
	static const char *const directories[] = {"/dev", "/proc", "/sys", "/root", "/run"};
	int r = 0;

	for (size_t d = 0; r >= 0 && d < sizeof(directories) / sizeof(directories[0]); d++)
		r = writer_add_directory(w, directories[d], err);
	/* The kernel opens it for init's standard files before init can mount /dev (init/main.c).
	 */
	if (r >= 0)
		r = writer_add(w, "/dev/console", S_IFCHR | 0600, makedev(5, 1), NULL, 0, err);
	if (r >= 0)
		r = writer_add_file(w, "/init", i->init, 0755, err);
	if (r >= 0)
		r = writer_add_directory(w, "/segue", err);
	if (r >= 0)
		r = writer_add(w, "/segue/handover.json", S_IFREG | 0600, 0, i->handover,
			       strlen(i->handover), err);
	for (size_t m = 0; r >= 0 && i->modules && m < modules_count(i->modules); m++)
		r = writer_add_module(w, i->modules, m, err);
	for (size_t f = 0; r >= 0 && f < i->n_files; f++)
		r = writer_add_file(w, i->files[f].path, i->files[f].source, i->files[f].mode, err);
	return r;
}

static int write_to(int fd, const char *path, const Initramfs *initramfs, Error *err)
{
	_cleanup_writer_ Writer w = {.archive = archive_write_new()};
	int r;

	if (!w.archive)
		return error_errno(err, -ENOMEM, "Writing %s", path);
	if (archive_write_set_format_cpio_newc(w.archive) != ARCHIVE_OK ||
	    (initramfs->zstd && archive_write_add_filter_zstd(w.archive) != ARCHIVE_OK) ||
	    /* Padding to a tape's block would only be more to load and to checksum. */
	    archive_write_set_bytes_in_last_block(w.archive, 1) != ARCHIVE_OK ||
	    archive_write_open_fd(w.archive, fd) != ARCHIVE_OK)
		return archive_failed(w.archive, "Writing", path, err);
	r = writer_add_all(&w, initramfs, err);
	if (r < 0)
		return r;
	if (archive_write_close(w.archive) != ARCHIVE_OK)
		return archive_failed(w.archive, "Writing", path, err);
	return 0;
}

int initramfs_write(const char *path, const Initramfs *initramfs, uint64_t *ret_size, Error *err)
{
	_cleanup_free_ char *temporary = text_format("%s.new", path);
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (!temporary)
		return error_errno(err, -ENOMEM, "Writing %s", path);
	(void)unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, -errno, "Making %s", temporary);
	r = write_to(fd, temporary, initramfs, err);
	if (r < 0)
		(void)error_prefix(err, "Building the initramfs");
	else if (fchmod(fd, 0600) < 0 || fsync(fd) < 0 || fstat(fd, &st) < 0 ||
		 rename(temporary, path) < 0)
		r = error_errno(err, -errno, "Writing %s", path);
	if (r < 0) {
		(void)unlink(temporary);
		return r;
	}
	if (ret_size)
		*ret_size = (uint64_t)st.st_size;
	return 0;
}
