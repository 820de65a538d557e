/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/holding.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "relay/reuse.h"

#define RECENT 16 /* chunks in memory: who follows closely asks for those */

struct Holding {
	Release *release;   /* the document; of a complete release its directory too */
	Assembly *assembly; /* NULL: it is complete */
	int files[MANIFEST_FILES_MAX];
	size_t first[MANIFEST_FILES_MAX + 1]; /* number of each file's first chunk */
	size_t n_missing;
	Blob *recent[RECENT]; /* of chunk i, if it is there, at i % RECENT */
	size_t recent_chunk[RECENT];
};

void holding_free(Holding *h)
{
	if (!h)
		return;
	assembly_free(h->assembly);
	release_free(h->release);
	for (size_t i = 0; i < MANIFEST_FILES_MAX; i++)
		cleanup_close(&h->files[i]);
	for (size_t i = 0; i < RECENT; i++)
		blob_unref(h->recent[i]);
	free(h);
}

static Holding *holding_new(Release **release)
{
	Holding *h = calloc(1, sizeof(*h));
	const Manifest *m = (*release)->manifest;

	if (!h)
		return NULL;
	h->release = steal_ptr(release);
	for (size_t i = 0; i < MANIFEST_FILES_MAX; i++)
		h->files[i] = -1;
	for (size_t i = 0; i < m->n_files; i++)
		h->first[i + 1] = h->first[i] + m->files[i].n_chunks;
	return h;
}

const Manifest *holding_manifest(const Holding *h)
{
	return h->release->manifest;
}

size_t holding_chunks(const Holding *h)
{
	return h->first[holding_manifest(h)->n_files];
}

size_t holding_missing(const Holding *h)
{
	return h->n_missing;
}

FrameChunk holding_name(const Holding *h, size_t chunk)
{
	uint16_t file = 0;

	while (chunk >= h->first[file + 1])
		file++;
	return (FrameChunk){.file = file, .chunk = (uint32_t)(chunk - h->first[file])};
}

bool holding_number(const Holding *h, FrameChunk name, size_t *ret_chunk)
{
	const Manifest *m = holding_manifest(h);

	if (name.file >= m->n_files || name.chunk >= m->files[name.file].n_chunks)
		return false;
	*ret_chunk = h->first[name.file] + name.chunk;
	return true;
}

bool holding_has(const Holding *h, size_t chunk)
{
	FrameChunk name = holding_name(h, chunk);

	return !h->assembly || assembly_has(h->assembly, name.file, name.chunk);
}

/* ---- beginning ---- */

int holding_open(const Depot *depot, const char *name, Holding **ret, Error *err)
{
	_cleanup_release_ Release *release = NULL;
	_cleanup_holding_ Holding *h = NULL;
	int r = release_open(depot, name, &release, err);

	if (r < 0)
		return r;
	h = holding_new(&release);
	if (!h)
		return error_errno(err, -ENOMEM, "Serving release %s", name);
	for (size_t i = 0; i < holding_manifest(h)->n_files; i++) {
		const char *file = holding_manifest(h)->files[i].name;

		h->files[i] = openat(h->release->dir, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (h->files[i] < 0)
			return error_errno(err, -errno, "Opening %s of release %s", file, name);
	}
	*ret = steal_ptr(&h);
	return 0;
}

int holding_begin(const Depot *depot, int document, Holding **ret, Error *err)
{
	_cleanup_release_ Release *release = NULL;
	_cleanup_holding_ Holding *h = NULL;
	int r = release_open_at(document, &release, err);

	if (r < 0)
		return r;
	h = holding_new(&release);
	if (!h)
		return error_errno(err, -ENOMEM, "Receiving");
	r = assembly_open(depot->releases_fd, holding_manifest(h), NULL, &h->assembly, err);
	if (r == 0)
		r = reuse_chunks(depot, holding_manifest(h), h->assembly, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < holding_chunks(h); i++)
		h->n_missing += !holding_has(h, i);
	*ret = steal_ptr(&h);
	return 0;
}

/* ---- chunks ---- */

static void remember(Holding *h, size_t chunk, Blob *blob)
{
	size_t at = chunk % RECENT;

	blob_unref(h->recent[at]);
	h->recent[at] = blob_ref(blob);
	h->recent_chunk[at] = chunk;
}

int holding_put(Holding *h, const Frame *frame, Blob *blob, Error *err)
{
	FrameChunk name = frame->chunks[0];
	size_t chunk;
	bool had;
	int r;

	if (!h->assembly || !holding_number(h, name, &chunk))
		return error_set(err, -EBADMSG, "It sent a chunk that there is not");
	had = holding_has(h, chunk);
	r = assembly_put(h->assembly, name.file, name.chunk, frame->data, frame->size, err);
	if (r < 0)
		return r;
	h->n_missing -= !had;
	remember(h, chunk, blob);
	return 0;
}

static int chunk_read(Holding *h, FrameChunk name, void *to, size_t size, Error *err)
{
	const Manifest *m = holding_manifest(h);
	const ManifestFile *file = &m->files[name.file];
	ssize_t n;

	if (h->assembly)
		return assembly_get(h->assembly, name.file, name.chunk, to, &size, err);
	n = content_read(h->files[name.file], to, size, (int64_t)name.chunk * m->chunk_size);
	if (n < 0)
		return error_errno(err, (int)n, "Reading %s of release %s", file->name, m->name);
	return manifest_check_chunk(m, file, name.chunk, to, (size_t)n, err);
}

int holding_get(Holding *h, size_t chunk, Blob **ret, Error *err)
{
	const Manifest *m = holding_manifest(h);
	Frame frame = {.type = FRAME_DATA, .n_chunks = 1, .chunks = {holding_name(h, chunk)}};
	FrameChunk name = frame.chunks[0];
	_cleanup_blob_ Blob *blob = NULL;
	int r;

	if (h->recent[chunk % RECENT] && h->recent_chunk[chunk % RECENT] == chunk) {
		*ret = blob_ref(h->recent[chunk % RECENT]);
		return 0;
	}
	frame.size = manifest_chunk_length(m, &m->files[name.file], name.chunk);
	blob = blob_of_frame(&frame);
	if (!blob)
		return error_errno(err, -ENOMEM, "Serving release %s", m->name);
	r = chunk_read(h, name, blob->bytes + frame_size(&frame), frame.size, err);
	if (r == -EBADMSG && h->assembly)
		h->n_missing++;
	if (r < 0)
		return r;
	remember(h, chunk, blob);
	*ret = steal_ptr(&blob);
	return 0;
}

int holding_finish(Holding *h, Error *err)
{
	const Release *release = h->release;

	return assembly_finish(h->assembly, release->bytes, release->size, &release->signatures,
			       NULL, err);
}
