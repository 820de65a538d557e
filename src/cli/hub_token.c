/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/hub.h"
#include "cli/owner.h"
#include "cli/print.h"
#include "hub/token.h"

enum { COLUMNS = 5 };

static const PrintColumn columns[COLUMNS] = {
	{"TOKEN", PRINT_LEFT},   {"USED", PRINT_RIGHT},  {"OF", PRINT_RIGHT},
	{"EXPIRES", PRINT_LEFT}, {"LABELS", PRINT_LEFT},
};

static int tokens_print(json_object *tokens)
{
	size_t n = json_length(tokens);
	_cleanup_free_ const char **cells = calloc(n + 1, COLUMNS * sizeof(*cells));
	_cleanup_free_ PrintText *texts = calloc(n + 1, 2 * sizeof(*texts));
	_cleanup_free_ OwnerTime *times = calloc(n + 1, sizeof(*times));

	if (!cells || !texts || !times)
		return verb_fail(&(Error){.code = -ENOMEM, .text = "Out of memory"});
	for (size_t i = 0; i < n; i++) {
		json_object *token = json_object_array_get_idx(tokens, i);
		const char **row = cells + i * COLUMNS;

		texts[2 * i] = print_number(json_opt_int(token, "uses", -1));
		texts[2 * i + 1] = print_number(json_opt_int(token, "uses_max", -1));
		times[i] = owner_time(json_opt_int(token, "expires_s", 0));
		row[0] = json_opt_string(token, "id", "");
		row[1] = texts[2 * i].text;
		row[2] = texts[2 * i + 1].text;
		row[3] = times[i].text;
		row[4] = json_object_to_json_string_ext(json_object_object_get(token, "labels"),
							JSON_C_TO_STRING_PLAIN);
	}
	print_table(columns, COLUMNS, cells, n);
	return STATUS_DONE;
}

static int tokens_list(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *answer = NULL;
	json_object *tokens;
	Error err = {0};

	if (hub_ask(arguments, "GET", "/v1/tokens", NULL, &answer, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json")) {
		print_json(answer);
		return STATUS_DONE;
	}
	tokens = json_opt_array(answer, "tokens");
	if (json_length(tokens) > 0)
		return tokens_print(tokens);
	(void)printf("There is no token that can be used; segue hub token makes one\n");
	return STATUS_DONE;
}

static int token_end(const VerbArguments *arguments)
{
	_cleanup_free_ char *path = text_format("/v1/tokens/%s", verb_option(arguments, "revoke"));
	Error err = {0};

	if (!path || hub_ask(arguments, "DELETE", path, NULL, NULL, &err) < 0)
		return verb_fail(&err);
	return STATUS_DONE;
}

static int token_ask(const VerbArguments *arguments, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *body = json_object_new_object();
	json_object *labels;
	int64_t uses = 1, hours = 24;
	int r;

	if ((r = hub_labels(arguments, &labels, err)) < 0)
		return r;
	(void)json_object_object_add(body, "labels", labels);
	if ((r = owner_number(arguments, "uses", 1, TOKEN_USES_MAX, 1, &uses, err)) < 0 ||
	    (r = owner_number(arguments, "hours", 1, TOKEN_LIFETIME_MAX_S / 3600, 24, &hours,
			      err)) < 0)
		return r;
	json_put_int(body, "uses", uses);
	json_put_int(body, "expires_in_s", hours * 3600);
	if (verb_option(arguments, "note"))
		json_put_string(body, "note", verb_option(arguments, "note"));
	return hub_ask(arguments, "POST", "/v1/tokens", body, ret, err);
}

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *answer = NULL;
	Error err = {0};

	if (verb_option(arguments, "list") && verb_option(arguments, "revoke"))
		return verb_usage("hub token", "hub token: --list and --revoke exclude each other");
	if (verb_option(arguments, "list"))
		return tokens_list(arguments);
	if (verb_option(arguments, "revoke"))
		return token_end(arguments);
	if (token_ask(arguments, &answer, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json"))
		print_json(answer);
	else
		(void)printf("%s\n", json_opt_string(answer, "token", ""));
	return STATUS_DONE;
}

const Verb verb_hub_token = {
	.name = "hub token",
	.arguments = "",
	.summary = "Make, list or revoke tokens that nodes join with",
	.options =
		(const VerbOption[]){
			{"label", "KEY=VALUE", "of the nodes that join with it; repeatable"},
			{"uses", "N", "how many nodes may use it (default: 1)"},
			{"hours", "N", "how long it can be used (default: 24)"},
			{"note", "TEXT", "what it is for"},
			{"list", NULL, "list those that can still be used"},
			{"revoke", "TOKEN", "let this one, as --list names it, be used no more"},
			HUB_OPTION_SOCKET,
			{"json", NULL, "print JSON"},
			{0},
		},
	.run = run,
};
