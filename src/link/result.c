/* SPDX-License-Identifier: Apache-2.0 */
#include "link/result.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#define ANSWER_S 30L

int result_tell(Session *session, int64_t order, const char *state, const char *message, Error *err)
{
	_cleanup_json_ json_object *body = json_object_new_object();
	_cleanup_free_ char *path = text_format("/v1/orders/%lld/result", (long long)order);

	if (!path)
		return error_errno(err, -ENOMEM, "Telling the hub");
	json_put_string(body, "state", state);
	json_put_string(body, "message", message);
	return session_ask(session, "POST", path, body, ANSWER_S, NULL, err);
}

bool result_is_settled(int r)
{
	return r == -EEXIST || r == -ENOENT || r == -EINVAL;
}
