/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "release/content.h"

#define NEW_PREFIX                                                                                 \
	".new-" /* what is killed leaves such a directory, and depot_lock() removes it             \
		 */

typedef struct Chunk {
	Digest digest;
	const Manifest *manifest;
	const ManifestFile *file;
	size_t number;
} Chunk;

struct Catalog {
	Depot *depot;
	Release **releases; /* owned */
	size_t n_releases;
	Chunk *chunks; /* sorted by digest */
	size_t n_chunks;
	struct timespec changed; /* the depot's directory, when it was read */
};

static int chunk_order(const void *a, const void *b)
{
	return memcmp(((const Chunk *)a)->digest.bytes, ((const Chunk *)b)->digest.bytes,
		      DIGEST_SIZE);
}

static void catalog_clear(Catalog *catalog)
{
	for (size_t i = 0; i < catalog->n_releases; i++)
		release_free(catalog->releases[i]);
	free(catalog->releases);
	free(catalog->chunks);
	catalog->releases = NULL;
	catalog->chunks = NULL;
	catalog->n_releases = catalog->n_chunks = 0;
}

void catalog_free(Catalog *catalog)
{
	if (!catalog)
		return;
	catalog_clear(catalog);
	free(catalog);
}

static size_t chunks_of(const Manifest *manifest)
{
	size_t n = 0;

	for (size_t i = 0; i < manifest->n_files; i++)
		n += manifest->files[i].n_chunks;
	return n;
}

static int catalog_index(Catalog *catalog, Error *err)
{
	size_t n = 0;

	for (size_t i = 0; i < catalog->n_releases; i++)
		n += chunks_of(catalog->releases[i]->manifest);
	catalog->chunks = calloc(n + 1, sizeof(*catalog->chunks));
	if (!catalog->chunks)
		return error_errno(err, -ENOMEM, "Listing the chunks of releases");
	for (size_t i = 0; i < catalog->n_releases; i++) {
		const Manifest *manifest = catalog->releases[i]->manifest;

		for (size_t j = 0; j < manifest->n_files; j++)
			for (size_t k = 0; k < manifest->files[j].n_chunks; k++)
				catalog->chunks[catalog->n_chunks++] =
					(Chunk){manifest->files[j].chunks[k], manifest,
						&manifest->files[j], k};
	}
	qsort(catalog->chunks, catalog->n_chunks, sizeof(*catalog->chunks), chunk_order);
	return 0;
}

static struct timespec depot_changed(const Catalog *catalog)
{
	struct stat st = {0};

	(void)fstat(catalog->depot->releases_fd, &st);
	return st.st_mtim;
}

static int catalog_read(Catalog *catalog, Error *err)
{
	struct timespec changed = depot_changed(catalog);
	char **names;
	size_t n;
	int r = depot_names(catalog->depot, &names, &n, err);

	if (r < 0)
		return r;
	catalog->changed = changed;
	catalog_clear(catalog);
	catalog->releases = calloc(n + 1, sizeof(Release *));
	if (!catalog->releases)
		r = error_errno(err, -ENOMEM, "Listing releases");
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (release_open(catalog->depot, names[i], &catalog->releases[catalog->n_releases],
				 NULL) == 0)
			catalog->n_releases++;
	}
	depot_names_free(names);
	return r < 0 ? r : catalog_index(catalog, err);
}

int catalog_open(Depot *depot, Catalog **ret, Error *err)
{
	Catalog *catalog = calloc(1, sizeof(*catalog));
	int r;

	if (!catalog)
		return error_errno(err, -ENOMEM, "Opening releases");
	catalog->depot = depot;
	r = catalog_read(catalog, err);
	if (r < 0) {
		catalog_free(catalog);
		return r;
	}
	*ret = catalog;
	return 0;
}

int catalog_refresh(Catalog *catalog, Error *err)
{
	struct timespec changed = depot_changed(catalog);

	if (changed.tv_sec == catalog->changed.tv_sec &&
	    changed.tv_nsec == catalog->changed.tv_nsec)
		return 0;
	return catalog_read(catalog, err);
}

size_t catalog_count(const Catalog *catalog)
{
	return catalog->n_releases;
}

static const Release *catalog_find(const Catalog *catalog, const char *name, Error *err)
{
	for (size_t i = 0; i < catalog->n_releases; i++) {
		if (!strcmp(catalog->releases[i]->manifest->name, name))
			return catalog->releases[i];
	}
	(void)error_set(err, -ENOENT, "The hub has no release %.128s", name);
	return NULL;
}

/* ---- telling ---- */

static json_object *manifest_describe(const Manifest *manifest)
{
	json_object *o = json_object_new_object();

	json_put_string(o, "name", manifest->name);
	json_put_string(o, "channel", manifest->channel);
	json_put_int(o, "version", manifest->version);
	json_put_string(o, "kernel", manifest->kernel);
	json_put_int(o, "size_bytes", manifest_size(manifest));
	json_put_int(o, "created_s", manifest->created_s);
	json_put_int(o, "expires_s", manifest->expires_s);
	json_put_string(o, "sha256", digest_text(&manifest->digest).text);
	return o;
}

int catalog_list(const Catalog *catalog, json_object **ret, Error *err)
{
	json_object *list = json_object_new_array();

	if (!list)
		return error_errno(err, -ENOMEM, "Listing releases");
	for (size_t i = 0; i < catalog->n_releases; i++)
		(void)json_object_array_add(list,
					    manifest_describe(catalog->releases[i]->manifest));
	*ret = list;
	return 0;
}

int catalog_describe(const Catalog *catalog, const char *name, json_object **ret, Error *err)
{
	const Release *release = catalog_find(catalog, name, err);

	if (!release)
		return -ENOENT;
	*ret = manifest_describe(release->manifest);
	return 0;
}

int catalog_signatures(const Catalog *catalog, const char *name, json_object **ret, Error *err)
{
	const Release *release = catalog_find(catalog, name, err);
	_cleanup_json_ json_object *list = json_object_new_object();

	if (!release)
		return -ENOENT;
	for (size_t i = 0; i < release->signatures.n; i++) {
		const Signature *signature = &release->signatures.items[i];
		gnutls_datum_t raw = {(unsigned char *)(uintptr_t)signature->bytes,
				      (unsigned)signature->size};
		gnutls_datum_t text = {0};

		if (gnutls_base64_encode2(&raw, &text) < 0)
			return error_errno(err, -ENOMEM, "Sending signatures");
		(void)json_object_object_add(
			list, digest_text(&signature->key).text,
			json_object_new_string_len((const char *)text.data, (int)text.size));
		gnutls_free(text.data);
	}
	*ret = steal_ptr(&list);
	return 0;
}

/* ---- serving ---- */

static int piece_open(const Catalog *catalog, const char *release, const char *file,
		      CatalogPiece *ret, Error *err)
{
	_cleanup_free_ char *path = text_format("%s/%s", release, file);
	struct stat st;
	int fd;

	if (!path)
		return error_errno(err, -ENOMEM, "Opening %s", file);
	fd = openat(catalog->depot->releases_fd, path,
		    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return error_errno(err, -errno, "Opening %s of release %s", file, release);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return error_set(err, -ENOENT, "Release %s: %s is no file", release, file);
	}
	*ret = (CatalogPiece){.fd = fd, .size = (uint64_t)st.st_size};
	return 0;
}

int catalog_chunk(const Catalog *catalog, const Digest *digest, CatalogPiece *ret, Error *err)
{
	Chunk key = {.digest = *digest};
	const Chunk *chunk =
		bsearch(&key, catalog->chunks, catalog->n_chunks, sizeof(key), chunk_order);
	CatalogPiece piece;
	uint64_t offset, length;
	int r;

	if (!chunk)
		return error_set(err, -ENOENT, "No release of the hub has chunk %s",
				 digest_text(digest).text);
	r = piece_open(catalog, chunk->manifest->name, chunk->file->name, &piece, err);
	if (r < 0)
		return r;
	offset = chunk->number * (uint64_t)chunk->manifest->chunk_size;
	length = manifest_chunk_length(chunk->manifest, chunk->file, chunk->number);
	if (offset + length > piece.size) {
		(void)close(piece.fd);
		return error_set(err, -EIO, "Release %s: %s was cut off", chunk->manifest->name,
				 chunk->file->name);
	}
	piece.offset = offset;
	piece.size = length;
	*ret = piece;
	return 0;
}

int catalog_file(const Catalog *catalog, const char *name, const char *file, CatalogPiece *ret,
		 Error *err)
{
	const Release *release = catalog_find(catalog, name, err);

	if (!release)
		return -ENOENT;
	if (strcmp(file, MANIFEST_FILE) != 0 && !manifest_find(release->manifest, file))
		return error_set(err, -ENOENT, "Release %s has no file %.128s", name, file);
	return piece_open(catalog, name, file, ret, err);
}

/* ---- receiving ---- */

static int new_path(const char *release, const char *file, char **ret, Error *err)
{
	if (!name_is_valid(release))
		return error_set(err, -EINVAL, "\"%.128s\" is no name of a release", release);
	*ret = text_format(NEW_PREFIX "%s%s", release, file);
	return *ret ? 0 : error_errno(err, -ENOMEM, "Receiving release %s", release);
}

static int new_manifest(const Catalog *catalog, const char *release, Manifest **ret, Error *err)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t size;
	int r;

	if ((r = new_path(release, "/" MANIFEST_FILE, &path, err)) < 0)
		return r;
	if (!path_exists(catalog->depot->releases_fd, path))
		return error_set(err, -ENOENT,
				 "Nothing of release %s was sent; " MANIFEST_FILE " comes first",
				 release);
	r = file_read_max(catalog->depot->releases_fd, path, MANIFEST_MAX, &text, &size, err);
	return r < 0 ? r : manifest_parse(text, size, ret, err);
}

static int new_open(const Catalog *catalog, const char *path, int *ret_fd, Error *err)
{
	*ret_fd = openat(catalog->depot->releases_fd, path,
			 O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	return *ret_fd < 0 ? error_errno(err, -errno, "Receiving %s", path) : 0;
}

/* What was sent of it before is another attempt's. */
static int new_begin(Catalog *catalog, const char *release, Error *err)
{
	_cleanup_free_ char *path = NULL, *signatures = NULL;
	int r;

	if (catalog_find(catalog, release, NULL))
		return error_set(err, -EEXIST, "The hub has a release %s already", release);
	if ((r = new_path(release, "", &path, err)) < 0 ||
	    (r = new_path(release, "/" SIGNATURES_DIR, &signatures, err)) < 0 ||
	    (r = directory_remove(catalog->depot->releases_fd, path, err)) < 0)
		return r;
	return directory_make(catalog->depot->releases_fd, signatures, 0755, err);
}

int catalog_receive(Catalog *catalog, const char *release, const char *file, int *ret_fd,
		    size_t *ret_max, Error *err)
{
	_cleanup_manifest_ Manifest *manifest = NULL;
	_cleanup_free_ char *part = text_format("/%s", file), *path = NULL;
	const ManifestFile *entry;
	size_t max = MANIFEST_MAX;
	int r;

	if (!part)
		return error_errno(err, -ENOMEM, "Receiving release %s", release);
	if (!strcmp(file, MANIFEST_FILE)) {
		r = new_begin(catalog, release, err);
	} else {
		r = new_manifest(catalog, release, &manifest, err);
		entry = r == 0 ? manifest_find(manifest, file) : NULL;
		if (r == 0 && !entry)
			r = error_set(err, -ENOENT, "Release %s has no file %.128s", release, file);
		if (r == 0)
			max = (size_t)entry->size;
	}
	if (r < 0 || (r = new_path(release, part, &path, err)) < 0 ||
	    (r = new_open(catalog, path, ret_fd, err)) < 0)
		return r;
	*ret_max = max;
	return 0;
}

int catalog_receive_signature(Catalog *catalog, const char *release, const char *key, int *ret_fd,
			      size_t *ret_max, Error *err)
{
	_cleanup_free_ char *part = text_format("/" SIGNATURES_DIR "/%s.sig", key), *path = NULL;
	Digest id;
	int r;

	if (!digest_parse(key, &id))
		return error_set(err, -EINVAL, "\"%.64s\" is no key id", key);
	if (!part)
		return error_errno(err, -ENOMEM, "Receiving release %s", release);
	if ((r = new_path(release, part, &path, err)) < 0 ||
	    (r = new_open(catalog, path, ret_fd, err)) < 0)
		return r;
	*ret_max = SIGNATURE_MAX;
	return 0;
}

static int new_check(const Catalog *catalog, const char *release, const char *path, Error *err)
{
	_cleanup_manifest_ Manifest *manifest = NULL;
	_cleanup_close_ int fd = -1;
	Signatures signatures;
	int r = new_manifest(catalog, release, &manifest, err);

	if (r < 0)
		return r;
	if (strcmp(manifest->name, release) != 0)
		return error_set(err, -EBADMSG, MANIFEST_FILE " is that of release %s",
				 manifest->name);
	fd = openat(catalog->depot->releases_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, -errno, "Opening %s", path);
	if ((r = signatures_read(fd, &signatures, err)) < 0)
		return r;
	if (signatures.n == 0)
		return error_set(err, -EBADMSG, "Release %s has no signature", release);
	for (size_t i = 0; i < manifest->n_files; i++) {
		if (!path_exists(fd, manifest->files[i].name))
			return error_set(err, -EBADMSG, "Release %s: %s was not sent", release,
					 manifest->files[i].name);
		r = content_check(fd, manifest, &manifest->files[i], NULL, err);
		if (r < 0)
			return r;
	}
	return syncfs(fd) < 0 ? error_errno(err, -errno, "Writing release %s", release) : 0;
}

int catalog_finish(Catalog *catalog, const char *release, Error *err)
{
	_cleanup_free_ char *path = NULL;
	int dir = catalog->depot->releases_fd;
	int r;

	if ((r = new_path(release, "", &path, err)) < 0 ||
	    (r = new_check(catalog, release, path, err)) < 0)
		return r;
	if (renameat2(dir, path, dir, release, RENAME_NOREPLACE) < 0 || fsync(dir) < 0)
		return error_errno(err, -errno, "Taking release %s in", release);
	return catalog_read(catalog, err);
}

int catalog_remove(Catalog *catalog, const char *release, Error *err)
{
	_cleanup_free_ char *path = NULL;
	int r = new_path(release, "", &path, err);

	if (r < 0)
		return r;
	if (path_exists(catalog->depot->releases_fd, path))
		return directory_remove(catalog->depot->releases_fd, path, err);
	r = depot_remove(catalog->depot, release, err);
	return r < 0 ? r : catalog_read(catalog, err);
}
