/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of requests to the hub; the first byte says of which. */
#include "hub/ask.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "fleet/policy.h"
#include "fuzz.h"
#include "http/body.h"
#include "hub/hook.h"
#include "release/document.h"

static int try_enrol(json_object *body, Error *err)
{
	AskEnrol ask = {0};
	TokenParts token;
	int r = ask_enrol(body, &ask, err);

	if (r < 0)
		return r;
	require(ask.token && ask.csr && (!ask.name || name_is_valid(ask.name)));
	if (token_parse(ask.token, &token, NULL) == 0)
		require(strlen(token.id) == sizeof(token.id) - 1);
	return 0;
}

static int try_renew(json_object *body, Error *err)
{
	const char *csr = NULL;
	int r = ask_renew(body, &csr, err);

	require(r < 0 || csr);
	return r;
}

static int try_report(json_object *body, Error *err)
{
	int r = ask_report(body, err);

	require(r < 0 || json_opt_string(body, "kernel", NULL));
	return r;
}

static int try_result(json_object *body, Error *err)
{
	AskResult ask = {.state = ORDER_FAILED + 1};
	int r = ask_result(body, &ask, err);

	require(r < 0 || (ask.state <= ORDER_FAILED && strlen(ask.message) <= ORDER_MESSAGE_MAX));
	return r;
}

static int try_order(json_object *body, Error *err)
{
	const char *kind = NULL, *kernel;
	int r = ask_order(body, &kind, err);

	if (r < 0)
		return r;
	kernel = json_opt_string(body, "kernel", NULL);
	require(!strcmp(kind, "swap") || !strcmp(kind, "stage"));
	require(!kernel || name_is_valid(kernel));
	return 0;
}

static int try_token(json_object *body, Error *err)
{
	TokenOffer offer = {0};
	int r = ask_token(body, &offer, err);

	require(r < 0 || (offer.uses_max >= 1 && offer.lifetime_s >= TOKEN_LIFETIME_MIN_S &&
			  offer.lifetime_s <= TOKEN_LIFETIME_MAX_S && offer.note));
	return r;
}

static int try_operator(json_object *body, Error *err)
{
	AskOperator ask = {0};
	int r = ask_operator(body, &ask, err);

	require(r < 0 || (name_is_valid(ask.name) && ask.csr));
	return r;
}

static int try_channel(json_object *body, Error *err)
{
	const char *release = NULL;
	int r = ask_channel(body, &release, err);

	require(r < 0 || name_is_valid(release));
	return r;
}

static int try_push(json_object *body, Error *err)
{
	AskPush ask = {0};
	int r = ask_push(body, &ask, err);

	require(r < 0 || (name_is_valid(ask.release) && !ask.nodes != !ask.labels));
	return r;
}

static int try_rollout(json_object *body, Error *err)
{
	_cleanup_policy_ Policy policy = {0};
	AskRollout ask = {0};
	int r = ask_rollout(body, &ask, err);

	if (r < 0 || (r = hooks_check(ask.hooks, err)) < 0 || (r = policy_init(&policy, err)) < 0)
		return r;
	r = policy_from_json(ask.policy, &policy, err);
	require(r < 0 || policy.canaries >= 0);
	return r;
}

static int try_abort(json_object *body, Error *err)
{
	bool send_back = false;

	return ask_abort(body, &send_back, err);
}

static const struct {
	uint8_t letter;
	int (*try)(json_object *body, Error *err);
} requests[] = {
	{'e', try_enrol}, {'n', try_renew},   {'p', try_report},   {'r', try_result},
	{'o', try_order}, {'t', try_token},   {'a', try_operator}, {'c', try_channel},
	{'u', try_push},  {'l', try_rollout}, {'b', try_abort},
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *text = size > 0 ? fuzz_text(bytes + 1, size - 1) : NULL;
	_cleanup_json_ json_object *body = NULL;
	Error err = {0};
	int r;

	if (!text)
		return 0;
	r = body_parse(text, size - 1, &body, &err);
	for (size_t i = 0; r == 0 && i < sizeof(requests) / sizeof(*requests); i++)
		if (requests[i].letter == bytes[0])
			r = requests[i].try(body, &err);
	if (r < 0)
		require_refusal(r, &err);
	return 0;
}
