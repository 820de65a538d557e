/* SPDX-License-Identifier: Apache-2.0 */
#include "link/document.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "link/paths.h"
#include "release/chain.h"
#include "release/judge.h"

#define ANSWER_S 60L

/* As it came. */
typedef struct Received {
	char *bytes;
	size_t size;
	Signatures signatures;
} Received;

static void received_release(Received *received)
{
	free(received->bytes);
}

char *document_path(const DocumentPlace *place, const char *release)
{
	return text_format("%s/" LINK_DOCUMENTS "/%s", place->directory, release);
}

/* ---- from the hub ---- */

static int signature_take(Signatures *signatures, const char *key, json_object *value, Error *err)
{
	gnutls_datum_t text = {0}, raw = {0};
	Digest digest;
	int r;

	if (!digest_parse(key, &digest) || !json_object_is_type(value, json_type_string))
		return error_set(err, -EBADMSG, "What the hub sends as a signature is none");
	text.data = (unsigned char *)(uintptr_t)json_object_get_string(value);
	text.size = (unsigned)json_object_get_string_len(value);
	if (gnutls_base64_decode2(&text, &raw) < 0)
		return error_set(err, -EBADMSG, "What the hub sends as a signature is none");
	r = signatures_add(signatures, &digest, raw.data, raw.size, err);
	gnutls_free(raw.data);
	return r;
}

static int signatures_get(Session *session, const char *release, Signatures *ret, Error *err)
{
	_cleanup_free_ char *path = text_format("/v1/releases/%s/signatures", release);
	_cleanup_json_ json_object *answer = NULL;
	json_object *list;
	int r;

	if (!path)
		return error_errno(err, -ENOMEM, "Asking the hub");
	if ((r = session_ask(session, "GET", path, NULL, ANSWER_S, &answer, err)) < 0 ||
	    (r = json_get_object(answer, "signatures", &list, err)) < 0)
		return r;
	json_object_object_foreach(list, key, value)
	{
		r = signature_take(ret, key, value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int document_get(Session *session, const char *release, Received *ret, Error *err)
{
	_cleanup_free_ char *path = text_format("/v1/releases/%s/" MANIFEST_FILE, release);
	int r;

	if (!path)
		return error_errno(err, -ENOMEM, "Asking the hub");
	r = session_read(session, path, MANIFEST_MAX, ANSWER_S, &ret->bytes, &ret->size, err);
	return r < 0 ? r : signatures_get(session, release, &ret->signatures, err);
}

/* ---- here ---- */

static int directory_open(const DocumentPlace *place, int *ret, Error *err)
{
	*ret = open(place->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? error_errno(err, -errno, "Opening %s", place->directory) : 0;
}

static int document_judge(const DocumentPlace *place, const Received *received, Manifest **ret,
			  Error *err)
{
	_cleanup_trust_ Trust *trust = NULL;
	_cleanup_close_ int fd = -1;
	Seen seen;
	int r;

	if ((r = chain_trusted(place->trust, &trust, err)) < 0 ||
	    (r = directory_open(place, &fd, err)) < 0 || (r = seen_read(fd, &seen, err)) < 0)
		return r;
	return release_judge(&(JudgeCase){.bytes = received->bytes,
					  .size = received->size,
					  .signatures = &received->signatures,
					  .trust = trust,
					  .seen = &seen,
					  .now_s = clock_realtime_us() / 1000000},
			     ret, err);
}

static int document_write(const DocumentPlace *place, const char *release, const Received *received,
			  Error *err)
{
	_cleanup_free_ char *path = document_path(place, release);
	_cleanup_close_ int fd = -1;
	int r;

	if (!path)
		return error_errno(err, -ENOMEM, "Writing the document of release %s", release);
	if ((r = directory_remove(AT_FDCWD, path, err)) < 0 ||
	    (r = directory_make(AT_FDCWD, path, 0700, err)) < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, -errno, "Opening %s", path);
	for (size_t i = 0; r == 0 && i < received->signatures.n; i++)
		r = signature_write(fd, &received->signatures.items[i], err);
	return r < 0 ? r
		     : file_write_atomic(fd, MANIFEST_FILE, received->bytes, received->size, 0600,
					 err);
}

int document_fetch(const DocumentPlace *place, Session *session, const char *release,
		   Manifest **ret, Error *err)
{
	_cleanup_(received_release) Received received = {0};
	_cleanup_manifest_ Manifest *manifest = NULL;
	int r;

	if ((r = document_get(session, release, &received, err)) < 0 ||
	    (r = document_judge(place, &received, &manifest, err)) < 0)
		return r;
	if (strcmp(manifest->name, release) != 0)
		return error_set(err, -EBADMSG, "What the hub sends as release %s is release %s",
				 release, manifest->name);
	r = document_write(place, release, &received, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&manifest);
	return 0;
}

int document_remember(const DocumentPlace *place, const Manifest *manifest, Error *err)
{
	_cleanup_free_ char *path = document_path(place, manifest->name);
	_cleanup_close_ int fd = -1;
	Seen seen;
	int r;

	if (!path)
		return error_errno(err, -ENOMEM, "Remembering release %s", manifest->name);
	if ((r = directory_open(place, &fd, err)) < 0 || (r = seen_read(fd, &seen, err)) < 0)
		return r;
	seen_add(&seen, manifest);
	r = seen_write(fd, &seen, err);
	return r < 0 ? r : directory_remove(AT_FDCWD, path, err);
}
