/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "http/body.h"
#include "hub/authority.h"

#define LABEL_KEY_MAX   63
#define LABEL_VALUE_MAX 128

static int require_text(const char *text, const char *key, size_t max, Error *err)
{
	if (!text)
		return error_set(err, -EINVAL, "\"%s\" is missing", key);
	if (strlen(text) > max)
		return error_set(err, -EINVAL, "\"%s\" is longer than %zu bytes", key, max);
	return 0;
}

static int require_name(const char *name, const char *key, Error *err)
{
	if (!name)
		return error_set(err, -EINVAL, "\"%s\" is missing", key);
	if (!name_is_valid(name))
		return error_set(err, -EINVAL,
				 "\"%s\": \"%.64s\" is no name: letters, digits and ._+~:-, not "
				 "beginning with a dot or minus",
				 key, name);
	return 0;
}

static bool label_is_valid(const char *key, json_object *value)
{
	const char *text;

	if (!name_is_valid(key) || strlen(key) > LABEL_KEY_MAX ||
	    !json_object_is_type(value, json_type_string))
		return false;
	text = json_object_get_string(value);
	if (strlen(text) != (size_t)json_object_get_string_len(value) ||
	    strlen(text) > LABEL_VALUE_MAX)
		return false;
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == '\x7f')
			return false;
	}
	return true;
}

static int require_labels(json_object *labels, Error *err)
{
	if (!labels)
		return 0;
	if (json_object_object_length(labels) > ASK_LABELS_MAX)
		return error_set(err, -EINVAL, "\"labels\" has more than %d", ASK_LABELS_MAX);
	json_object_object_foreach(labels, key, value)
	{
		if (!label_is_valid(key, value))
			return error_set(err, -EINVAL,
					 "\"labels\": \"%.64s\" is no label: a name of at most %d "
					 "characters, and a text of at most %d",
					 key, LABEL_KEY_MAX, LABEL_VALUE_MAX);
	}
	return 0;
}

int ask_enrol(json_object *body, AskEnrol *ret, Error *err)
{
	AskEnrol ask = {0};
	const BodyMember members[] = {
		{"token", json_type_string, &ask.token},
		{"csr", json_type_string, &ask.csr},
		{"name", json_type_string, &ask.name},
		{"labels", json_type_object, &ask.labels},
	};
	int r;

	if ((r = body_take(body, BODY_MEMBERS(members), err)) < 0 ||
	    (r = require_text(ask.token, "token", TOKEN_TEXT_MAX, err)) < 0 ||
	    (r = require_text(ask.csr, "csr", CSR_MAX, err)) < 0 ||
	    (ask.name && (r = require_name(ask.name, "name", err)) < 0) ||
	    (r = require_labels(ask.labels, err)) < 0)
		return r;
	*ret = ask;
	return 0;
}

int ask_renew(json_object *body, const char **ret_csr, Error *err)
{
	const char *csr = NULL;
	const BodyMember members[] = {{"csr", json_type_string, &csr}};
	int r;

	if ((r = body_take(body, BODY_MEMBERS(members), err)) < 0 ||
	    (r = require_text(csr, "csr", CSR_MAX, err)) < 0)
		return r;
	*ret_csr = csr;
	return 0;
}

static int require_kept(json_object *kept, Error *err)
{
	size_t n = json_length(kept);

	if (n > ASK_KEPT_MAX)
		return error_set(err, -EINVAL, "\"kept\" has more than %d units", ASK_KEPT_MAX);
	for (size_t i = 0; i < n; i++) {
		if (!json_object_is_type(json_object_array_get_idx(kept, i), json_type_string))
			return error_set(err, -EINVAL, "\"kept\": unit %zu is no text", i + 1);
	}
	return 0;
}

int ask_report(json_object *body, Error *err)
{
	const char *kernel = NULL, *boot = NULL, *health = "unknown", *version = NULL;
	const char *follows = NULL;
	json_object *kept = NULL, *swap = NULL;
	const BodyMember members[] = {
		{"kernel", json_type_string, &kernel},   {"boot_id", json_type_string, &boot},
		{"health", json_type_string, &health},   {"kept", json_type_array, &kept},
		{"version", json_type_string, &version}, {"swap", json_type_object, &swap},
		{"follows", json_type_string, &follows},
	};
	int r;

	if ((r = body_take(body, BODY_MEMBERS(members), err)) < 0 ||
	    (r = require_text(kernel, "kernel", DOCUMENT_NAME_MAX, err)) < 0 ||
	    (follows && (r = require_name(follows, "follows", err)) < 0) ||
	    (r = require_kept(kept, err)) < 0)
		return r;
	if (strcmp(health, "ok") != 0 && strcmp(health, "failing") != 0 &&
	    strcmp(health, "unknown") != 0)
		return error_set(err, -EINVAL, "\"health\" must be ok, failing or unknown");
	return 0;
}

int ask_result(json_object *body, AskResult *ret, Error *err)
{
	const char *state = NULL, *message = "";
	const BodyMember members[] = {
		{"state", json_type_string, &state},
		{"message", json_type_string, &message},
	};
	AskResult ask;
	int r;

	if ((r = body_take(body, BODY_MEMBERS(members), err)) < 0 ||
	    (r = order_state_parse(state, &ask.state, err)) < 0 ||
	    (r = require_text(message, "message", ORDER_MESSAGE_MAX, err)) < 0)
		return r;
	ask.message = message;
	*ret = ask;
	return 0;
}

int ask_order(json_object *body, const char **ret_kind, Error *err)
{
	const char *kind = NULL, *kernel = NULL, *release = NULL;
	bool one_way = false, no_trial = false, reboot = false;
	const BodyMember members[] = {
		{"kind", json_type_string, &kind},
		{"kernel", json_type_string, &kernel},
		{"release", json_type_string, &release},
		{"allow_one_way", json_type_boolean, &one_way},
		{"no_trial", json_type_boolean, &no_trial},
		{"reboot", json_type_boolean, &reboot},
	};
	int r;

	if ((r = body_take(body, BODY_MEMBERS(members), err)) < 0 ||
	    (kernel && (r = require_name(kernel, "kernel", err)) < 0) ||
	    (release && (r = require_name(release, "release", err)) < 0))
		return r;
	if (!kind || (strcmp(kind, "swap") != 0 && strcmp(kind, "stage") != 0))
		return error_set(err, -EINVAL, "\"kind\" must be swap or stage");
	if (kernel && release)
		return error_set(err, -EINVAL, "\"kernel\" and \"release\" exclude each other");
	*ret_kind = kind;
	return 0;
}

static int require_nodes(json_object *nodes, Error *err)
{
	size_t n = json_length(nodes);
	int r = 0;

	if (nodes && (n == 0 || n > ASK_NODES_MAX))
		return error_set(err, -EINVAL, "\"nodes\" must have 1 to %d names", ASK_NODES_MAX);
	for (size_t i = 0; r == 0 && i < n; i++) {
		json_object *name = json_object_array_get_idx(nodes, i);

		r = require_name(json_object_is_type(name, json_type_string)
					 ? json_object_get_string(name)
					 : NULL,
				 "nodes", err);
	}
	return r;
}

int ask_push(json_object *body, AskPush *ret, Error *err)
{
	AskPush ask = {0};
	const BodyMember members[] = {
		{"release", json_type_string, &ask.release},
		{"nodes", json_type_array, &ask.nodes},
		{"labels", json_type_object, &ask.labels},
		{"dry_run", json_type_boolean, &ask.dry_run},
	};
	int r;

	if ((r = body_take(body, BODY_MEMBERS(members), err)) < 0 ||
	    (r = require_name(ask.release, "release", err)) < 0 ||
	    (r = require_nodes(ask.nodes, err)) < 0 || (r = require_labels(ask.labels, err)) < 0)
		return r;
	if (!ask.nodes == !ask.labels)
		return error_set(err, -EINVAL, "One of \"nodes\" and \"labels\" is needed");
	*ret = ask;
	return 0;
}

int ask_rollout(json_object *body, AskRollout *ret, Error *err)
{
	AskRollout ask = {0};
	const BodyMember members[] = {
		{"policy", json_type_object, &ask.policy},
		{"hooks", json_type_object, &ask.hooks},
	};
	int r = body_take(body, BODY_MEMBERS(members), err);

	if (r < 0)
		return r;
	if (!ask.policy)
		return error_set(err, -EINVAL, "\"policy\" is missing");
	*ret = ask;
	return 0;
}

int ask_abort(json_object *body, bool *ret_send_back, Error *err)
{
	const BodyMember members[] = {{"send_back", json_type_boolean, ret_send_back}};

	return body_take(body, BODY_MEMBERS(members), err);
}

int ask_token(json_object *body, TokenOffer *ret, Error *err)
{
	TokenOffer offer = {.uses_max = 1, .lifetime_s = TOKEN_LIFETIME_S, .note = ""};
	const BodyMember members[] = {
		{"labels", json_type_object, &offer.labels},
		{"uses", json_type_int, &offer.uses_max},
		{"expires_in_s", json_type_int, &offer.lifetime_s},
		{"note", json_type_string, &offer.note},
	};
	int r;

	if ((r = body_take(body, BODY_MEMBERS(members), err)) < 0 ||
	    (r = require_labels(offer.labels, err)) < 0 ||
	    (r = require_text(offer.note, "note", TOKEN_NOTE_MAX, err)) < 0)
		return r;
	if (offer.uses_max < 1 || offer.uses_max > TOKEN_USES_MAX)
		return error_set(err, -EINVAL, "\"uses\" must be from 1 to %d", TOKEN_USES_MAX);
	if (offer.lifetime_s < TOKEN_LIFETIME_MIN_S || offer.lifetime_s > TOKEN_LIFETIME_MAX_S)
		return error_set(err, -EINVAL, "\"expires_in_s\" must be from %d to %lld",
				 TOKEN_LIFETIME_MIN_S, (long long)TOKEN_LIFETIME_MAX_S);
	*ret = offer;
	return 0;
}

int ask_operator(json_object *body, AskOperator *ret, Error *err)
{
	AskOperator ask = {0};
	const BodyMember members[] = {
		{"name", json_type_string, &ask.name},
		{"csr", json_type_string, &ask.csr},
	};
	int r;

	if ((r = body_take(body, BODY_MEMBERS(members), err)) < 0 ||
	    (r = require_name(ask.name, "name", err)) < 0 ||
	    (r = require_text(ask.csr, "csr", CSR_MAX, err)) < 0)
		return r;
	*ret = ask;
	return 0;
}

int ask_channel(json_object *body, const char **ret_release, Error *err)
{
	const char *release = NULL;
	const BodyMember members[] = {{"release", json_type_string, &release}};
	int r;

	if ((r = body_take(body, BODY_MEMBERS(members), err)) < 0 ||
	    (r = require_name(release, "release", err)) < 0)
		return r;
	*ret_release = release;
	return 0;
}

int ask_number(const char *text, const char *name, int64_t max, int64_t fallback, int64_t *ret,
	       Error *err)
{
	char *end;
	long long value;

	if (!text) {
		*ret = fallback;
		return 0;
	}
	errno = 0;
	value = strtoll(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value > max)
		return error_set(err, -EINVAL, "\"%s\" must be a number from 0 to %lld", name,
				 (long long)max);
	*ret = value;
	return 0;
}
