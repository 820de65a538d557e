/* SPDX-License-Identifier: Apache-2.0 */
#include "http/reply.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

/* How an error is told. */
static const struct Failure {
	int code;
	unsigned status;
	const char *name;
} failures[] = {
	{-EINVAL, 400, "invalid"},
	{-EBADMSG, 400, "invalid"},
	{-EPERM, 403, "not-permitted"},
	{-EACCES, 403, "not-permitted"},
	{-ENOENT, 404, "not-found"},
	{-EBUSY, 409, "busy"},
	{-EEXIST, 409, "exists"},
	{-ESRCH, 409, "not-running"},
	{-ECANCELED, 409, "refused"},
	{-EOPNOTSUPP, 409, "unsupported"},
	{-ENOSPC, 507, "no-space"},
	{-ETIMEDOUT, 504, "timeout"},
	{-EKEYREJECTED, 401, "unauthorized"},
	{-ESTALE, 409, "refused"},
	{-EAGAIN, 503, "unavailable"},
	{-EHOSTUNREACH, 503, "unavailable"},
	{-EREMOTE, 503, "unavailable"},
};

void reply_json(HttpCall *call, unsigned status, json_object *body)
{
	_cleanup_free_ char *text = text_format(
		"%s\n", body ? json_object_to_json_string_ext(body, JSON_C_TO_STRING_NOSLASHESCAPE)
			     : "null");

	http_answer(call, status, TYPE_JSON, text ? text : "");
}

void reply_fail(HttpCall *call, unsigned status, const char *name, const char *message)
{
	_cleanup_json_ json_object *body = json_object_new_object();
	json_object *error = json_object_new_object();

	json_put_string(error, "code", name);
	json_put_string(error, "message", message);
	(void)json_object_object_add(body, "error", error);
	reply_json(call, status, body);
}

void reply_error(HttpCall *call, const Error *err)
{
	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
		if (failures[i].code == err->code) {
			reply_fail(call, failures[i].status, failures[i].name, err->text);
			return;
		}
	}
	reply_fail(call, 500, "failed", err->text);
}

void reply_no_route(HttpCall *call, bool known)
{
	reply_fail(call, known ? 405 : 404, known ? "method" : "not-found",
		   known ? "This path has no such method; see the API's documentation"
			 : "There is no such path; see the API's documentation");
}
