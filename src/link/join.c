/* SPDX-License-Identifier: Apache-2.0 */
#include "link/join.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "hub/certificate.h"
#include "hub/join_token.h"
#include "link/credential.h"
#include "link/session.h"

#define ANSWER_S     30L
#define CLOCK_SKEW_S 600

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

/* What whoever answers there shows; and whether this machine's clock can be right. */
static int authority_fetch(const char *hub, char **ret_pem, int64_t *ret_ahead_s, Error *err)
{
	const SessionOptions options = {.hub = hub};
	_cleanup_session_ Session *session = NULL;
	_cleanup_json_ json_object *answer = NULL;
	const char *pem = NULL;
	int64_t time_s = 0;
	int r = session_open(&options, &session, err);

	if (r < 0 || (r = session_ask(session, "GET", "/v1/ca", NULL, ANSWER_S, &answer, err)) < 0)
		return r;
	if ((r = json_get_string(answer, "certificate", &pem, err)) < 0 ||
	    (r = json_get_int(answer, "time_s", &time_s, err)) < 0)
		return error_prefix(err, "What %s answers is not what a hub does", hub);
	*ret_ahead_s = clock_realtime_us() / 1000000 - time_s;
	*ret_pem = strdup(pem);
	return *ret_pem ? 0 : error_errno(err, -ENOMEM, "Asking the hub");
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
			 int64_t *ret_ahead_s, Error *err)
{
	_cleanup_free_ char *pem = NULL;
	int r = 0;

	if (!request->authority)
		r = authority_fetch(request->node.hub, &pem, ret_ahead_s, err);
	else if (!(pem = strdup(request->authority)))
		r = error_errno(err, -ENOMEM, "Reading the authority");
	if (r == 0)
		r = authority_check(pem, request->authority ? "The file" : request->node.hub,
				    wanted, err);
	if (r == 0)
		*ret_pem = steal_ptr(&pem);
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
	int64_t ahead_s = 0;
	TokenParts token;
	int r;

	if ((r = token_check(request, &token, err)) < 0 ||
	    (r = authority_get(request, &token.authority, &authority, &ahead_s, err)) < 0 ||
	    (r = directory_make(AT_FDCWD, request->directory, 0700, err)) < 0)
		return r;
	r = enrol(request, authority, err);
	if (r == -EPROTO && llabs(ahead_s) > CLOCK_SKEW_S)
		return error_hint(err, "the clock here is %lld s %s the hub's: set it",
				  (long long)llabs(ahead_s), ahead_s > 0 ? "ahead of" : "behind");
	return r;
}

int join_leave(const LinkConfig *node, const char *directory, Error *err)
{
	_cleanup_session_ Session *session = NULL;
	int r = credential_session(node, directory, true, &session, err);

	return r < 0 ? r : session_ask(session, "POST", "/v1/leave", NULL, ANSWER_S, NULL, err);
}
