/* SPDX-License-Identifier: Apache-2.0 */
#include "link/join.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "hub/certificate.h"
#include "hub/join_token.h"
#include "link/credential.h"
#include "link/probe.h"
#include "link/session.h"

#define ANSWER_S 30L

static int token_check(const JoinRequest *request, TokenParts *ret, Error *err)
{
	int r = token_parse(request->token, ret, err);

	if (r < 0)
		return r;
	if (request->fingerprint && !digest_equal(request->fingerprint, &ret->authority))
		return error_set(err, -EKEYREJECTED,
				 "The fingerprint %s is not that of the hub that made the token, "
				 "%s; ask for both where the token was made",
				 digest_text(request->fingerprint).text,
				 digest_text(&ret->authority).text);
	return 0;
}

static int authority_check(const char *pem, const char *whose, const Digest *wanted, Error *err)
{
	Digest digest;
	int r = certificate_digest(pem, &digest, err);

	if (r < 0)
		return error_prefix(err, "%s", whose);
	if (!digest_equal(&digest, wanted))
		return error_set(
			err, -EKEYREJECTED,
			"%s has an authority with the fingerprint %s, but the token is of "
			"%s: it is another hub, or somebody stands in between; nothing was "
			"sent",
			whose, digest_text(&digest).text, digest_text(wanted).text);
	return 0;
}

static int authority_get(const JoinRequest *request, const Digest *wanted, char **ret_pem,
			 Error *err)
{
	_cleanup_probe_ Probe told = {0};
	int r = 0;

	if (!request->authority)
		r = probe(request->node.hub, &told, err);
	else if (!(told.authority = strdup(request->authority)))
		r = error_errno(err, -ENOMEM, "Reading the authority");
	if (r == 0)
		r = authority_check(told.authority,
				    request->authority ? "The file" : request->node.hub, wanted,
				    err);
	if (r == 0)
		*ret_pem = steal_ptr(&told.authority);
	return r;
}

static json_object *enrolment(const JoinRequest *request, const char *csr)
{
	json_object *body = json_object_new_object();

	json_put_string(body, "token", request->token);
	json_put_string(body, "csr", csr);
	json_put_string(body, "name", request->node.name);
	if (request->labels)
		(void)json_object_object_add(body, "labels", json_object_get(request->labels));
	return body;
}

/* The key is on the disk before the token is used up. */
static int enrol(const JoinRequest *request, const char *authority, Error *err)
{
	_cleanup_free_ char *key = NULL, *csr = NULL;
	_cleanup_session_ Session *session = NULL;
	_cleanup_json_ json_object *body = NULL, *answer = NULL;
	const char *certificate;
	int r;

	if ((r = key_request_make(request->node.name, &key, &csr, err)) < 0)
		return r;
	r = credential_store(request->directory, LINK_KEY, key, err);
	explicit_bzero(key, strlen(key));
	if (r < 0 ||
	    (r = credential_store(request->directory, LINK_AUTHORITY, authority, err)) < 0 ||
	    (r = credential_session(&request->node, request->directory, false, &session, err)) < 0)
		return r;
	body = enrolment(request, csr);
	if ((r = session_ask(session, "POST", "/v1/enrol", body, ANSWER_S, &answer, err)) < 0)
		return r;
	if ((r = json_get_string(answer, "certificate", &certificate, err)) < 0)
		return error_prefix(err, "What the hub answers");
	return credential_store(request->directory, LINK_CERTIFICATE, certificate, err);
}

int join_enrol(const JoinRequest *request, Error *err)
{
	_cleanup_free_ char *authority = NULL;
	TokenParts token;
	int r;

	if ((r = token_check(request, &token, err)) < 0 ||
	    (r = authority_get(request, &token.authority, &authority, err)) < 0 ||
	    (r = directory_make(AT_FDCWD, request->directory, 0700, err)) < 0)
		return r;
	r = enrol(request, authority, err);
	return r == -EPROTO ? probe_explain(request->node.hub, r, err) : r;
}

static int leave_ask(Session *session, Error *err)
{
	return session_ask(session, "POST", "/v1/leave", NULL, ANSWER_S, NULL, err);
}

int join_leave(const LinkConfig *node, const char *directory, Error *err)
{
	_cleanup_session_ Session *session = NULL, *renewed = NULL;
	int r = credential_session(node, directory, true, &session, err);

	if (r < 0)
		return r;
	r = leave_ask(session, err);
	/* A certificate that has ended serves to get the next one, and nothing else. */
	if (r == -EKEYREJECTED && credential_renew(session, node, directory, NULL) == 0 &&
	    (r = credential_session(node, directory, true, &renewed, err)) == 0)
		r = leave_ask(renewed, err);
	return r == -EPROTO ? probe_explain(node->hub, r, err) : r;
}
