/* SPDX-License-Identifier: Apache-2.0 */
#include "link/revoked.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "link/paths.h"
#include "relay/revoked.h"

#define ANSWER_S 30L

int revoked_fetch(Session *session, const char *directory, Error *err)
{
	_cleanup_free_ char *path = text_format("%s/" LINK_REVOKED, directory);
	_cleanup_json_ json_object *answer = NULL;
	int r;

	if (!path)
		return error_errno(err, -ENOMEM, "Asking for revoked certificates");
	r = session_ask(session, "GET", "/v1/revocations", NULL, ANSWER_S, &answer, err);
	return r < 0 ? r : revoked_write(path, json_opt_array(answer, "serials"), err);
}
