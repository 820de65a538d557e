/* SPDX-License-Identifier: Apache-2.0 */
#include "release/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"

#define MANIFEST_KIND "release"

/* Far above what MANIFEST_MAX has room for. */
#define FILE_SIZE_MAX ((int64_t)1 << 50)

void manifest_free(Manifest *manifest)
{
	if (!manifest)
		return;
	for (size_t i = 0; i < manifest->n_files; i++)
		free(manifest->files[i].chunks);
	free(manifest->cmdline);
	free(manifest);
}

int64_t manifest_chunk_count(int64_t size, int64_t chunk_size)
{
	return size / chunk_size + (size % chunk_size != 0);
}

/* ---- reading ---- */

static int digest_get(json_object *o, const char *what, Digest *ret, Error *err)
{
	const char *text =
		json_object_is_type(o, json_type_string) ? json_object_get_string(o) : "";

	if (!digest_parse(text, ret))
		return error_set(err, -EBADMSG, "\"%s\": \"%.80s\" is not a SHA-256", what, text);
	return 0;
}

static int chunks_parse(ManifestFile *file, int64_t chunk_size, json_object *o, Error *err)
{
	json_object *chunks;
	int64_t n = manifest_chunk_count(file->size, chunk_size);
	int r = json_get_array(o, "chunks", &chunks, err);

	if (r < 0)
		return r;
	if ((int64_t)json_length(chunks) != n)
		return error_set(err, -EBADMSG, "There are %zu chunks, not %lld",
				 json_length(chunks), (long long)n);
	file->chunks = calloc((size_t)n, sizeof(*file->chunks));
	if (!file->chunks)
		return error_errno(err, -ENOMEM, "Reading chunks");
	file->n_chunks = (size_t)n;
	for (size_t i = 0; i < file->n_chunks; i++) {
		r = digest_get(json_object_array_get_idx(chunks, i), "chunks", &file->chunks[i],
			       err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int file_parse(Manifest *m, json_object *o, Error *err)
{
	ManifestFile *file = &m->files[m->n_files];
	json_object *digest = NULL;
	int r = document_get_name(o, "name", file->name, err);

	if (r < 0)
		return r;
	if (manifest_find(m, file->name) || strcmp(file->name, MANIFEST_FILE) == 0)
		return error_set(err, -EBADMSG, "The name %s is taken", file->name);
	m->n_files++;
	(void)json_object_object_get_ex(o, "sha256", &digest);
	if ((r = document_get_number(o, "size", 1, FILE_SIZE_MAX, &file->size, err)) < 0 ||
	    (r = digest_get(digest, "sha256", &file->digest, err)) < 0 ||
	    (r = chunks_parse(file, m->chunk_size, o, err)) < 0) {
		(void)error_prefix(err, "%s", file->name);
		return r;
	}
	return 0;
}

static int files_parse(Manifest *m, json_object *o, Error *err)
{
	json_object *files;
	int r = json_get_array(o, "files", &files, err);

	if (r < 0)
		return r;
	if (json_length(files) > MANIFEST_FILES_MAX)
		return error_set(err, -EBADMSG, "There are more than %d files", MANIFEST_FILES_MAX);
	for (size_t i = 0; i < json_length(files); i++) {
		json_object *file = json_object_array_get_idx(files, i);

		if (!json_object_is_type(file, json_type_object))
			return error_set(err, -EBADMSG, "A file is not an object");
		r = file_parse(m, file, err);
		if (r < 0)
			return r;
	}
	if (!manifest_find(m, RELEASE_KERNEL) || !manifest_find(m, RELEASE_MODULES))
		return error_set(err, -EBADMSG,
				 RELEASE_KERNEL " or " RELEASE_MODULES " is not among the files");
	return 0;
}

static int cmdline_parse(Manifest *m, json_object *o, Error *err)
{
	const char *text;
	int r;

	if (!json_object_object_get_ex(o, "cmdline", NULL))
		return 0;
	r = document_get_string(o, "cmdline", MANIFEST_CMDLINE_MAX, &text, err);
	if (r < 0)
		return r;
	m->cmdline = strdup(text);
	return m->cmdline ? 0 : error_errno(err, -ENOMEM, "Reading the command line");
}

static int manifest_read(Manifest *m, json_object *o, Error *err)
{
	int r;

	if ((r = document_get_name(o, "name", m->name, err)) < 0 ||
	    (r = document_get_name(o, "channel", m->channel, err)) < 0 ||
	    (r = document_get_number(o, "version", 1, DOCUMENT_NUMBER_MAX, &m->version, err)) < 0 ||
	    (r = document_get_number(o, "epoch", 1, DOCUMENT_NUMBER_MAX, &m->epoch, err)) < 0 ||
	    (r = document_get_time(o, "created", &m->created_s, err)) < 0 ||
	    (r = document_get_time(o, "expires", &m->expires_s, err)) < 0 ||
	    (r = document_get_name(o, "kernel", m->kernel, err)) < 0 ||
	    (r = cmdline_parse(m, o, err)) < 0 ||
	    (r = document_get_number(o, "chunk_size", MANIFEST_CHUNK_MIN, MANIFEST_CHUNK_MAX,
				     &m->chunk_size, err)) < 0)
		return r;
	return files_parse(m, o, err);
}

int manifest_parse(const void *bytes, size_t size, Manifest **ret, Error *err)
{
	_cleanup_manifest_ Manifest *m = calloc(1, sizeof(*m));
	_cleanup_json_ json_object *o = NULL;
	int r;

	if (!m)
		return error_errno(err, -ENOMEM, "Reading a release");
	if ((r = document_parse(bytes, size, MANIFEST_MAX, MANIFEST_KIND, &o, err)) < 0 ||
	    (r = manifest_read(m, o, err)) < 0 || (r = digest_of(bytes, size, &m->digest, err)) < 0)
		return r;
	*ret = steal_ptr(&m);
	return 0;
}

/* ---- writing ---- */

static json_object *file_compose(const ManifestFile *file)
{
	json_object *o = json_object_new_object(), *chunks = json_object_new_array();

	json_put_string(o, "name", file->name);
	json_put_int(o, "size", file->size);
	json_put_string(o, "sha256", digest_text(&file->digest).text);
	(void)json_object_object_add(o, "chunks", chunks);
	for (size_t i = 0; i < file->n_chunks; i++)
		(void)json_object_array_add(
			chunks, json_object_new_string(digest_text(&file->chunks[i]).text));
	return o;
}

int manifest_compose(const Manifest *m, char **ret_text, size_t *ret_size, Error *err)
{
	_cleanup_json_ json_object *o = document_new(MANIFEST_KIND);
	json_object *files = json_object_new_array();
	_cleanup_manifest_ Manifest *back = NULL;
	_cleanup_free_ char *text = NULL;
	Error mistake = {0};
	size_t size;
	int r;

	json_put_string(o, "name", m->name);
	json_put_string(o, "channel", m->channel);
	json_put_int(o, "version", m->version);
	json_put_int(o, "epoch", m->epoch);
	json_put_string(o, "created", time_text(m->created_s).text);
	json_put_string(o, "expires", time_text(m->expires_s).text);
	json_put_string(o, "kernel", m->kernel);
	if (m->cmdline)
		json_put_string(o, "cmdline", m->cmdline);
	json_put_int(o, "chunk_size", m->chunk_size);
	(void)json_object_object_add(o, "files", files);
	for (size_t i = 0; i < m->n_files; i++)
		(void)json_object_array_add(files, file_compose(&m->files[i]));
	r = document_text(o, &text, &size, err);
	if (r < 0)
		return r;
	/* What nobody could read must not be signed; this also finds what had no memory. */
	r = manifest_parse(text, size, &back, &mistake);
	if (r == -EFBIG)
		return error_set(err, r, "There are too many chunks; make them larger");
	if (r < 0)
		return error_set(err, -EINVAL, "%s", mistake.text);
	*ret_text = steal_ptr(&text);
	*ret_size = size;
	return 0;
}

/* ---- asking ---- */

const ManifestFile *manifest_find(const Manifest *m, const char *name)
{
	for (size_t i = 0; i < m->n_files; i++)
		if (strcmp(m->files[i].name, name) == 0)
			return &m->files[i];
	return NULL;
}

int64_t manifest_size(const Manifest *m)
{
	int64_t size = 0;

	for (size_t i = 0; i < m->n_files; i++)
		size += m->files[i].size;
	return size;
}

size_t manifest_chunk_length(const Manifest *m, const ManifestFile *file, size_t chunk)
{
	if (chunk >= file->n_chunks)
		return 0;
	if (chunk + 1 < file->n_chunks)
		return (size_t)m->chunk_size;
	return (size_t)(file->size - (int64_t)chunk * m->chunk_size);
}

int manifest_check_chunk(const Manifest *m, const ManifestFile *file, size_t chunk,
			 const void *data, size_t size, Error *err)
{
	Digest digest;
	int r;

	if (chunk >= file->n_chunks)
		return error_set(err, -EBADMSG, "%s of release %s has no chunk %zu", file->name,
				 m->name, chunk);
	if (size != manifest_chunk_length(m, file, chunk))
		return error_set(err, -EBADMSG,
				 "Chunk %zu of %s of release %s has %zu bytes, not %zu", chunk,
				 file->name, m->name, size, manifest_chunk_length(m, file, chunk));
	r = digest_of(data, size, &digest, err);
	if (r < 0)
		return r;
	if (!digest_equal(&digest, &file->chunks[chunk]))
		return error_set(err, -EBADMSG,
				 "Chunk %zu of %s of release %s is not what was signed", chunk,
				 file->name, m->name);
	return 0;
}
