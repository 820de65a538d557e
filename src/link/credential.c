/* SPDX-License-Identifier: Apache-2.0 */
#include "link/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "hub/certificate.h"

#define ANSWER_S 30L

static char *file_path(const char *directory, const char *file)
{
	return text_format("%s/%s", directory, file);
}

static int credential_load(const char *directory, const char *file, char **ret, Error *err)
{
	_cleanup_free_ char *path = file_path(directory, file);

	if (!path)
		return error_errno(err, -ENOMEM, "Reading %s", file);
	return file_read_max(AT_FDCWD, path, CSR_MAX, ret, NULL, err);
}

int credential_store(const char *directory, const char *file, const char *text, Error *err)
{
	_cleanup_free_ char *path = file_path(directory, file);

	if (!path)
		return error_errno(err, -ENOMEM, "Writing %s", file);
	return file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, err);
}

static int certificate_check(const char *pem, Error *err)
{
	Digest digest;

	return certificate_digest(pem, &digest, err);
}

static int credential_check(const char *directory, Error *err)
{
	static const struct {
		const char *file;
		int (*check)(const char *pem, Error *err);
	} files[] = {
		{LINK_KEY, key_check},
		{LINK_CERTIFICATE, certificate_check},
		{LINK_AUTHORITY, certificate_check},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(files) / sizeof(*files); i++) {
		_cleanup_free_ char *pem = NULL;

		r = credential_load(directory, files[i].file, &pem, err);
		if (r == 0 && (r = files[i].check(pem, err)) < 0)
			(void)error_prefix(err, "%s/%s", directory, files[i].file);
		if (pem)
			explicit_bzero(pem, strlen(pem));
	}
	return r < 0 ? error_hint(err, "segue leave --force and segue join get another one") : 0;
}

int credential_session(const LinkConfig *node, const char *directory, bool known, Session **ret,
		       Error *err)
{
	_cleanup_free_ char *authority = file_path(directory, LINK_AUTHORITY);
	_cleanup_free_ char *certificate = file_path(directory, LINK_CERTIFICATE);
	_cleanup_free_ char *key = file_path(directory, LINK_KEY);
	const SessionOptions options = {
		.hub = node->hub,
		.authority = authority,
		.certificate = known ? certificate : NULL,
		.key = known ? key : NULL,
	};
	int r;

	if (!authority || !certificate || !key)
		return error_errno(err, -ENOMEM, "Talking to the hub");
	r = known ? credential_check(directory, err) : 0;
	return r < 0 ? r : session_open(&options, ret, err);
}

int credential_validity(const char *directory, int64_t *ret_from_s, int64_t *ret_to_s, Error *err)
{
	_cleanup_free_ char *pem = NULL;
	int r = credential_load(directory, LINK_CERTIFICATE, &pem, err);

	return r < 0 ? r : certificate_validity(pem, ret_from_s, ret_to_s, err);
}

int credential_renew(Session *session, const LinkConfig *node, const char *directory, Error *err)
{
	_cleanup_json_ json_object *body = json_object_new_object(), *answer = NULL;
	_cleanup_free_ char *key = NULL, *csr = NULL;
	const char *certificate;
	int64_t from_s, to_s;
	int r = credential_load(directory, LINK_KEY, &key, err);

	if (r < 0)
		return r;
	r = key_request_again(node->name, key, &csr, err);
	explicit_bzero(key, strlen(key));
	if (r < 0)
		return r;
	json_put_string(body, "csr", csr);
	if ((r = session_ask(session, "POST", "/v1/renew", body, ANSWER_S, &answer, err)) < 0)
		return r;
	if ((r = json_get_string(answer, "certificate", &certificate, err)) < 0 ||
	    (r = certificate_validity(certificate, &from_s, &to_s, err)) < 0)
		return error_prefix(err, "What the hub answers");
	return credential_store(directory, LINK_CERTIFICATE, certificate, err);
}
