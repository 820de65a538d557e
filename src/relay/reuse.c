/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/reuse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* A chunk that is missing. */
typedef struct Wanted {
	const Digest *digest;
	size_t file, chunk;
} Wanted;

typedef struct Reuse {
	const Manifest *manifest;
	Assembly *assembly;
	Wanted *wanted; /* by digest */
	size_t n;
	void *buffer;
} Reuse;

static void reuse_release(Reuse *reuse)
{
	free(reuse->wanted);
	free(reuse->buffer);
}
#define _cleanup_reuse_ _cleanup_(reuse_release)

static int wanted_order(const void *a, const void *b)
{
	const Wanted *x = a, *y = b;

	return memcmp(x->digest, y->digest, sizeof(*x->digest));
}

static int reuse_make(Reuse *reuse, Error *err)
{
	const Manifest *m = reuse->manifest;
	size_t n = 0;

	for (size_t i = 0; i < m->n_files; i++)
		n += m->files[i].n_chunks;
	reuse->wanted = calloc(n > 0 ? n : 1, sizeof(*reuse->wanted));
	reuse->buffer = malloc((size_t)MANIFEST_CHUNK_MAX);
	if (!reuse->wanted || !reuse->buffer)
		return error_errno(err, -ENOMEM, "Looking for what is here of release %s", m->name);
	for (size_t i = 0; i < m->n_files; i++)
		for (size_t j = 0; j < m->files[i].n_chunks; j++)
			if (!assembly_has(reuse->assembly, i, j))
				reuse->wanted[reuse->n++] = (Wanted){&m->files[i].chunks[j], i, j};
	qsort(reuse->wanted, reuse->n, sizeof(*reuse->wanted), wanted_order);
	return 0;
}

/* Puts a chunk everywhere where it is wanted; what turns out to be something else is left. */
static int chunk_copy(Reuse *reuse, const Wanted *found, int fd, int64_t offset, size_t size,
		      Error *err)
{
	const Wanted *end = reuse->wanted + reuse->n;
	ssize_t n = content_read(fd, reuse->buffer, size, offset);
	Digest digest;

	if (n <= 0 || digest_of(reuse->buffer, (size_t)n, &digest, NULL) < 0 ||
	    !digest_equal(&digest, found->digest))
		return 0;
	while (found > reuse->wanted && wanted_order(found - 1, found) == 0)
		found--;
	for (const Wanted *w = found; w < end && wanted_order(w, found) == 0; w++) {
		int r = assembly_put(reuse->assembly, w->file, w->chunk, reuse->buffer, (size_t)n,
				     err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int file_copy(Reuse *reuse, const Release *other, const ManifestFile *file, Error *err)
{
	const Manifest *m = other->manifest;
	_cleanup_close_ int fd =
		openat(other->dir, file->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int r = 0;

	for (size_t i = 0; fd >= 0 && r == 0 && i < file->n_chunks; i++) {
		Wanted key = {.digest = &file->chunks[i]};
		const Wanted *found =
			bsearch(&key, reuse->wanted, reuse->n, sizeof(key), wanted_order);

		if (found && !assembly_has(reuse->assembly, found->file, found->chunk))
			r = chunk_copy(reuse, found, fd, (int64_t)i * m->chunk_size,
				       manifest_chunk_length(m, file, i), err);
	}
	return r;
}

static int release_copy(Reuse *reuse, const Depot *depot, const char *name, Error *err)
{
	_cleanup_release_ Release *other = NULL;
	int r = 0;

	if (release_open(depot, name, &other, NULL) < 0)
		return 0;
	for (size_t i = 0; r == 0 && i < other->manifest->n_files; i++)
		r = file_copy(reuse, other, &other->manifest->files[i], err);
	return r;
}

int reuse_chunks(const Depot *depot, const Manifest *manifest, Assembly *assembly, Error *err)
{
	_cleanup_reuse_ Reuse reuse = {.manifest = manifest, .assembly = assembly};
	char **names = NULL;
	size_t n;
	int r = reuse_make(&reuse, err);

	if (r < 0 || reuse.n == 0 || (r = depot_names(depot, &names, &n, err)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = release_copy(&reuse, depot, names[i], err);
	depot_names_free(names);
	return r < 0 ? error_prefix(err, "Release %s", manifest->name) : 0;
}
