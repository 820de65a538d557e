/* SPDX-License-Identifier: Apache-2.0 */
#include "release/assembly.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

struct Assembly {
	const Manifest *manifest;
	int parent; /* owned; the directory that it will be in */
	int dir;    /* owned; where it is put together */
	char *path; /* of that, below `parent` */
	int files[MANIFEST_FILES_MAX];
	bool *there[MANIFEST_FILES_MAX]; /* by chunk */
	size_t n_missing;
};

void assembly_free(Assembly *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < MANIFEST_FILES_MAX; i++) {
		cleanup_close(&a->files[i]);
		free(a->there[i]);
	}
	cleanup_close(&a->dir);
	cleanup_close(&a->parent);
	free(a->path);
	free(a);
}

static int assembly_new(int dirfd, const Manifest *manifest, Assembly **ret, Error *err)
{
	Assembly *a = calloc(1, sizeof(*a));

	if (!a)
		return error_errno(err, -ENOMEM, "Receiving release %s", manifest->name);
	a->manifest = manifest;
	a->dir = a->parent = -1;
	for (size_t i = 0; i < MANIFEST_FILES_MAX; i++)
		a->files[i] = -1;
	a->path = text_format(ASSEMBLY_PREFIX "%s", manifest->name);
	a->parent = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
	if (!a->path || a->parent < 0) {
		assembly_free(a);
		return error_errno(err, -ENOMEM, "Receiving release %s", manifest->name);
	}
	*ret = a;
	return 0;
}

/* ---- beginning, and going on ---- */

/* Takes the room, so that a full disk is told before the first byte is on its way. */
static int file_reserve(int fd, const ManifestFile *file, Error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, -errno, "Looking at %s", file->name);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s is not a file", file->name);
	if ((int64_t)st.st_size > file->size && ftruncate(fd, file->size) < 0)
		return error_errno(err, -errno, "Making room for %s", file->name);
	if (fallocate(fd, 0, 0, file->size) == 0)
		return 0;
	/* Some filesystems cannot; then it is as large as it will be, and the room is taken later.
	 */
	if (errno == EOPNOTSUPP && ftruncate(fd, file->size) == 0)
		return 0;
	return error_errno(err, -errno, "Making room for %lld bytes of %s", (long long)file->size,
			   file->name);
}

/* Which chunks are there from an earlier attempt. */
static int file_survey(Assembly *a, size_t index, const Progress *progress, Error *err)
{
	const ManifestFile *file = &a->manifest->files[index];
	_cleanup_free_ void *buffer = malloc((size_t)a->manifest->chunk_size);

	if (!buffer)
		return error_errno(err, -ENOMEM, "Reading %s", file->name);
	for (size_t i = 0; i < file->n_chunks; i++) {
		size_t want = manifest_chunk_length(a->manifest, file, i);
		int64_t offset = (int64_t)i * a->manifest->chunk_size;
		ssize_t n = content_read(a->files[index], buffer, want, offset);

		if (n < 0)
			return error_errno(err, (int)n, "Reading %s", file->name);
		a->there[index][i] =
			manifest_check_chunk(a->manifest, file, i, buffer, (size_t)n, NULL) == 0;
		a->n_missing -= a->there[index][i];
		progress_tell(progress, file->name, offset + (int64_t)want, file->size);
	}
	return 0;
}

static int file_begin(Assembly *a, size_t index, const Progress *progress, Error *err)
{
	const ManifestFile *file = &a->manifest->files[index];
	bool fresh = !path_exists(a->dir, file->name);
	int r;

	a->there[index] = calloc(file->n_chunks, sizeof(bool));
	if (!a->there[index])
		return error_errno(err, -ENOMEM, "Receiving %s", file->name);
	a->n_missing += file->n_chunks;
	a->files[index] = openat(a->dir, file->name,
				 O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	if (a->files[index] < 0)
		return error_errno(err, -errno, "Making %s/%s", a->path, file->name);
	r = file_reserve(a->files[index], file, err);
	return r < 0 || fresh ? r : file_survey(a, index, progress, err);
}

int assembly_open(int dirfd, const Manifest *manifest, const Progress *progress, Assembly **ret,
		  Error *err)
{
	_cleanup_assembly_ Assembly *a = NULL;
	int r = assembly_new(dirfd, manifest, &a, err);

	if (r < 0)
		return r;
	if (mkdirat(dirfd, a->path, 0755) < 0 && errno != EEXIST)
		return error_errno(err, -errno, "Making %s", a->path);
	a->dir = openat(dirfd, a->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (a->dir < 0)
		return error_errno(err, -errno, "Opening %s", a->path);
	for (size_t i = 0; i < manifest->n_files; i++) {
		r = file_begin(a, i, progress, err);
		if (r < 0) {
			(void)error_prefix(err, "Receiving release %s", manifest->name);
			return r;
		}
	}
	*ret = steal_ptr(&a);
	return 0;
}

int assembly_discard(int dirfd, const char *release, Error *err)
{
	_cleanup_free_ char *path = text_format(ASSEMBLY_PREFIX "%s", release);

	return path ? directory_remove(dirfd, path, err)
		    : error_errno(err, -ENOMEM, "Removing release %s", release);
}

/* ---- chunks ---- */

static int chunk_write(int fd, const void *data, size_t size, int64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n =
			pwrite(fd, (const char *)data + done, size - done, offset + (int64_t)done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

bool assembly_has(const Assembly *a, size_t file, size_t chunk)
{
	return file < a->manifest->n_files && chunk < a->manifest->files[file].n_chunks &&
	       a->there[file][chunk];
}

int assembly_put(Assembly *a, size_t file, size_t chunk, const void *data, size_t size, Error *err)
{
	const ManifestFile *f = &a->manifest->files[file];
	int r;

	if (file >= a->manifest->n_files)
		return error_set(err, -EBADMSG, "Release %s has no file %zu", a->manifest->name,
				 file);
	r = manifest_check_chunk(a->manifest, f, chunk, data, size, err);
	if (r < 0 || a->there[file][chunk])
		return r;
	r = chunk_write(a->files[file], data, size, (int64_t)chunk * a->manifest->chunk_size);
	if (r < 0)
		return error_errno(err, r, "Writing %s of release %s", f->name, a->manifest->name);
	a->there[file][chunk] = true;
	a->n_missing--;
	return 0;
}

bool assembly_missing(const Assembly *a, size_t *ret_file, size_t *ret_chunk)
{
	for (size_t i = 0; a->n_missing > 0 && i < a->manifest->n_files; i++)
		for (size_t j = 0; j < a->manifest->files[i].n_chunks; j++)
			if (!a->there[i][j]) {
				*ret_file = i;
				*ret_chunk = j;
				return true;
			}
	return false;
}

int assembly_get(Assembly *a, size_t file, size_t chunk, void *buffer, size_t *ret_size, Error *err)
{
	const ManifestFile *f;
	size_t want;
	ssize_t n;
	int r;

	if (!assembly_has(a, file, chunk))
		return error_set(err, -ENOENT, "Chunk %zu of file %zu of release %s is not there",
				 chunk, file, a->manifest->name);
	f = &a->manifest->files[file];
	want = manifest_chunk_length(a->manifest, f, chunk);
	n = content_read(a->files[file], buffer, want, (int64_t)chunk * a->manifest->chunk_size);
	if (n < 0)
		return error_errno(err, (int)n, "Reading %s", f->name);
	r = manifest_check_chunk(a->manifest, f, chunk, buffer, (size_t)n, err);
	if (r == -EBADMSG) {
		/* To be fetched again. */
		a->there[file][chunk] = false;
		a->n_missing++;
	}
	if (r < 0)
		return r;
	*ret_size = want;
	return 0;
}

/* ---- the end ---- */

static int assembly_check(Assembly *a, const Progress *progress, Error *err)
{
	for (size_t i = 0; i < a->manifest->n_files; i++) {
		int r = content_check(a->dir, a->manifest, &a->manifest->files[i], progress, err);

		if (r == 0 && fsync(a->files[i]) < 0)
			r = error_errno(err, -errno, "Writing %s", a->manifest->files[i].name);
		if (r < 0)
			return r;
	}
	return 0;
}

int assembly_finish(Assembly *a, const void *document, size_t size, const Signatures *signatures,
		    const Progress *progress, Error *err)
{
	const char *name = a->manifest->name;
	int r;

	if (a->n_missing > 0)
		return error_set(err, -EAGAIN, "%zu chunks of release %s are missing", a->n_missing,
				 name);
	if (path_exists(a->parent, name))
		return error_set(err, -EEXIST, "Release %s is there already", name);
	if ((r = assembly_check(a, progress, err)) < 0 ||
	    (r = file_write_atomic(a->dir, MANIFEST_FILE, document, size, 0644, err)) < 0)
		return r;
	for (size_t i = 0; i < signatures->n; i++) {
		r = signature_write(a->dir, &signatures->items[i], err);
		if (r < 0)
			return r;
	}
	/* rename(2) replaces no directory that holds something. */
	if (fsync(a->dir) < 0 || renameat(a->parent, a->path, a->parent, name) < 0 ||
	    fsync(a->parent) < 0)
		return error_errno(err, -errno, "Completing release %s", name);
	return 0;
}
