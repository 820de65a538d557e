/* SPDX-License-Identifier: Apache-2.0 */
#include "release/content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

void progress_tell(const Progress *progress, const char *what, int64_t done, int64_t total)
{
	if (progress)
		progress->tell(what, done, total, progress->data);
}

ssize_t content_read(int fd, void *buffer, size_t size, int64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *)buffer + done, size - done, offset + (int64_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int content_open(int dirfd, const char *name, int *ret_fd, int64_t *ret_size, Error *err)
{
	_cleanup_close_ int fd =
		openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, -errno, "Opening %s", name);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EBADMSG, "%s is not a file", name);
	*ret_fd = steal_fd(&fd);
	*ret_size = (int64_t)st.st_size;
	return 0;
}

/* Called with each chunk of a file, in order. */
typedef int ChunkFn(size_t chunk, const void *data, size_t size, void *context, Error *err);

static int content_walk(int fd, const char *name, int64_t size, int64_t chunk_size,
			const Progress *progress, ChunkFn *each, void *context, Error *err)
{
	_cleanup_free_ void *buffer = malloc((size_t)chunk_size);

	if (!buffer)
		return error_errno(err, -ENOMEM, "Reading %s", name);
	for (int64_t offset = 0; offset < size; offset += chunk_size) {
		int64_t left = size - offset;
		size_t want = (size_t)(left < chunk_size ? left : chunk_size);
		ssize_t n = content_read(fd, buffer, want, offset);
		int r;

		if (n < 0)
			return error_errno(err, (int)n, "Reading %s", name);
		if ((size_t)n < want)
			return error_set(err, -EBADMSG, "%s is being changed while it is read",
					 name);
		r = each((size_t)(offset / chunk_size), buffer, want, context, err);
		if (r < 0)
			return r;
		progress_tell(progress, name, offset + (int64_t)want, size);
	}
	return 0;
}

/* ---- making ---- */

typedef struct Hashing {
	ManifestFile *file;
	DigestRun *run;
} Hashing;

static int chunk_hash(size_t chunk, const void *data, size_t size, void *context, Error *err)
{
	Hashing *hashing = context;
	int r = digest_of(data, size, &hashing->file->chunks[chunk], err);

	return r < 0 ? r : digest_run_add(hashing->run, data, size, err);
}

int content_hash(int dirfd, const char *name, int64_t chunk_size, const Progress *progress,
		 ManifestFile *ret, Error *err)
{
	_cleanup_digest_run_ DigestRun *run = NULL;
	_cleanup_free_ Digest *chunks = NULL;
	_cleanup_close_ int fd = -1;
	ManifestFile file = {0};
	int r = content_open(dirfd, name, &fd, &file.size, err);

	if (r < 0 || (r = digest_run_new(&run, err)) < 0)
		return r;
	if (file.size == 0)
		return error_set(err, -EBADMSG, "%s is empty", name);
	(void)snprintf(file.name, sizeof(file.name), "%s", name);
	file.n_chunks = (size_t)manifest_chunk_count(file.size, chunk_size);
	file.chunks = chunks = calloc(file.n_chunks, sizeof(*chunks));
	if (!chunks)
		return error_errno(err, -ENOMEM, "Hashing %s", name);
	r = content_walk(fd, name, file.size, chunk_size, progress, chunk_hash,
			 &(Hashing){.file = &file, .run = run}, err);
	if (r < 0)
		return r;
	digest_run_end(run, &file.digest);
	*ret = file;
	chunks = NULL;
	return 0;
}

/* ---- checking ---- */

typedef struct Checking {
	const Manifest *manifest;
	const ManifestFile *file;
	DigestRun *run;
	int to; /* where the bytes that were checked go; -1: nowhere */
} Checking;

static int chunk_check(size_t chunk, const void *data, size_t size, void *context, Error *err)
{
	Checking *checking = context;
	int r = manifest_check_chunk(checking->manifest, checking->file, chunk, data, size, err);

	if (r == 0 && checking->to >= 0)
		r = file_write_all(checking->to, data, size, err);
	return r < 0 ? r : digest_run_add(checking->run, data, size, err);
}

static int content_pass(int dirfd, const Manifest *manifest, const ManifestFile *file, int to,
			const Progress *progress, Error *err)
{
	_cleanup_digest_run_ DigestRun *run = NULL;
	_cleanup_close_ int fd = -1;
	Digest digest;
	int64_t size;
	int r = content_open(dirfd, file->name, &fd, &size, err);

	if (r < 0 || (r = digest_run_new(&run, err)) < 0)
		return r;
	if (size != file->size)
		return error_set(err, -EBADMSG, "%s of release %s has %lld bytes, not %lld",
				 file->name, manifest->name, (long long)size,
				 (long long)file->size);
	r = content_walk(fd, file->name, size, manifest->chunk_size, progress, chunk_check,
			 &(Checking){.manifest = manifest, .file = file, .run = run, .to = to},
			 err);
	if (r < 0)
		return r;
	digest_run_end(run, &digest);
	/* It can differ if who signed made the document with something else than segue. */
	if (!digest_equal(&digest, &file->digest))
		return error_set(err, -EBADMSG, "%s of release %s is not what was signed",
				 file->name, manifest->name);
	return 0;
}

int content_check(int dirfd, const Manifest *manifest, const ManifestFile *file,
		  const Progress *progress, Error *err)
{
	return content_pass(dirfd, manifest, file, -1, progress, err);
}

int content_copy(int dirfd, const Manifest *manifest, const ManifestFile *file, int to,
		 const char *name, Error *err)
{
	_cleanup_close_ int fd =
		openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	int r;

	if (fd < 0)
		return error_errno(err, -errno, "Making %s", name);
	r = content_pass(dirfd, manifest, file, fd, NULL, err);
	if (r == 0 && fsync(fd) < 0)
		r = error_errno(err, -errno, "Writing %s", name);
	if (r < 0)
		(void)unlinkat(to, name, 0);
	return r;
}
