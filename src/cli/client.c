/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include <curl/curl.h>
#include <errno.h>

#include "base/file.h"
#include "http/transfer.h"

static const TransferTarget segued = {
	.name = "segued",
	.socket = "/run/segue/segued.sock",
	.who = "only root may, and the groups of Group= and Allow= in segue.conf; use sudo",
};

int client_call(const char *method, const char *path, json_object *body, json_object **ret_body,
		Error *err)
{
	return transfer_ask(&segued, method, path, body, ret_body, err);
}

int client_unit_path(const char *unit, char **ret_path, Error *err)
{
	char *encoded = curl_easy_escape(NULL, unit, 0);
	char *path = encoded ? text_format("/v1/units/%s", encoded) : NULL;

	curl_free(encoded);
	if (!path)
		return error_errno(err, -ENOMEM, "Asking segued about %s", unit);
	*ret_path = path;
	return 0;
}
