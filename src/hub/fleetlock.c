/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/fleetlock.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "http/body.h"
#include "http/reply.h"
#include "hub/hub.h"

#define HEADER    "fleet-lock-protocol"
#define GROUP_MAX 128

typedef struct Client {
	const char *id, *group;
} Client;

static void refuse(HttpCall *call, unsigned status, const char *kind, const char *value)
{
	_cleanup_json_ json_object *o = json_object_new_object();

	json_put_string(o, "kind", kind);
	json_put_string(o, "value", value);
	reply_json(call, status, o);
}

/* The characters that the protocol has for it. */
static bool group_is_valid(const char *group)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-";
	size_t n = strspn(group, allowed);

	return n > 0 && n <= GROUP_MAX && group[n] == '\0';
}

static int client_take(json_object *body, Client *ret, Error *err)
{
	json_object *parameters = NULL;
	const BodyMember outer[] = {{"client_params", json_type_object, &parameters}};
	const BodyMember inner[] = {{"id", json_type_string, &ret->id},
				    {"group", json_type_string, &ret->group}};
	int r = body_take(body, BODY_MEMBERS(outer), err);

	if (r == 0 && parameters)
		r = body_take(parameters, BODY_MEMBERS(inner), err);
	if (r < 0)
		return r;
	if (!ret->id || !name_is_valid(ret->id) || !ret->group || !group_is_valid(ret->group))
		return error_set(err, -EINVAL, "\"client_params\" needs an id and a group");
	return 0;
}

static void answer(HttpCall *call, Hub *hub, bool takes, const Client *client)
{
	_cleanup_json_ json_object *empty = json_object_new_object();
	Error err = {0};
	int r = takes ? rollouts_lock(hub->rollouts, client->group, client->id, &err)
		      : rollouts_unlock(hub->rollouts, client->id, &err);

	if (r == -EBUSY)
		refuse(call, 409, "not_now", err.text);
	else if (r < 0)
		refuse(call, 500, "failed", err.text);
	else
		reply_json(call, 200, empty);
}

void fleetlock_handle(HttpCall *call, void *data)
{
	_cleanup_json_ json_object *body = NULL;
	const char *header = http_header(call, HEADER);
	bool takes = strcmp(call->path, "/v1/pre-reboot") == 0;
	Client client = {0};
	Error err = {0};

	if (!takes && strcmp(call->path, "/v1/steady-state") != 0)
		refuse(call, 404, "not_found", "There is /v1/pre-reboot and /v1/steady-state");
	else if (strcmp(call->method, "POST") != 0)
		refuse(call, 405, "wrong_method", "POST is needed");
	else if (!header || strcmp(header, "true") != 0)
		refuse(call, 400, "wrong_header", "The header " HEADER ": true is needed");
	else if (body_parse(call->body, call->body_size, &body, &err) < 0 ||
		 client_take(body, &client, &err) < 0)
		refuse(call, 400, "wrong_body", err.text);
	else if (((const Hub *)data)->follows)
		refuse(call, 503, "follows", "Another hub leads; ask that one");
	else
		answer(call, data, takes, &client);
}
