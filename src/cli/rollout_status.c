/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/hub.h"
#include "cli/print.h"
#include "cli/rollout.h"
#include "release/document.h"

#define ASK_EVERY_MS 1000

static const PrintColumn node_columns[] = {
	{"NODE", PRINT_LEFT},  {"GROUP", PRINT_LEFT}, {"WAVE", PRINT_RIGHT},
	{"STATE", PRINT_LEFT}, {"WHY", PRINT_LEFT},
};
static const PrintColumn rollout_columns[] = {
	{"ROLLOUT", PRINT_LEFT}, {"RELEASE", PRINT_LEFT}, {"STATE", PRINT_LEFT},
	{"DONE", PRINT_RIGHT},   {"WHY", PRINT_LEFT},
};

enum { COLUMNS = 5 };

static void node_row(json_object *node, const char **cells, PrintText *texts)
{
	int64_t wave = json_opt_int(node, "wave", 0);

	texts[0] = print_number(wave ? wave : -1);
	cells[0] = json_opt_string(node, "node", "");
	cells[1] = json_opt_string(node, "group", "");
	cells[2] = texts[0].text;
	cells[3] = json_opt_string(node, "state", "");
	cells[4] = json_opt_string(node, "why", "");
}

static void rollout_row(json_object *rollout, const char **cells, PrintText *texts)
{
	(void)snprintf(texts[0].text, sizeof(texts[0].text), "%lld/%lld",
		       (long long)json_opt_int(rollout, "nodes_done", 0),
		       (long long)json_opt_int(rollout, "nodes_all", 0));
	cells[0] = json_opt_string(rollout, "id", "");
	cells[1] = json_opt_string(rollout, "release", "");
	cells[2] = json_opt_string(rollout, "state", "");
	cells[3] = texts[0].text;
	cells[4] = json_opt_string(rollout, "why", "");
}

static void table_show(json_object *list, const PrintColumn *columns,
		       void (*row)(json_object *, const char **, PrintText *))
{
	size_t n = json_length(list);
	_cleanup_free_ const char **cells = calloc(n + 1, COLUMNS * sizeof(*cells));
	_cleanup_free_ PrintText *texts = calloc(n + 1, sizeof(*texts));

	for (size_t i = 0; cells && texts && i < n; i++)
		row(json_object_array_get_idx(list, i), cells + COLUMNS * i, &texts[i]);
	if (cells && texts && n > 0)
		print_table(columns, COLUMNS, cells, n);
}

static void rollout_show(json_object *rollout)
{
	const char *why = json_opt_string(rollout, "why", NULL);

	(void)printf("Rollout %s of %s: %s, %lld of %lld nodes done%s%s\n",
		     json_opt_string(rollout, "id", ""), json_opt_string(rollout, "release", ""),
		     json_opt_string(rollout, "state", ""),
		     (long long)json_opt_int(rollout, "nodes_done", 0),
		     (long long)json_opt_int(rollout, "nodes_all", 0), why ? ": " : "",
		     why ? why : "");
	table_show(json_opt_array(rollout, "nodes"), node_columns, node_row);
}

static int rollout_ask(const VerbArguments *arguments, const char *id, json_object **ret,
		       Error *err)
{
	_cleanup_free_ char *path = text_format("/v1/rollouts/%s", id);

	if (!path)
		return error_errno(err, -ENOMEM, "Asking the hub");
	return hub_ask(arguments, "GET", path, NULL, ret, err);
}

static int status_of(json_object *rollout)
{
	return !strcmp(json_opt_string(rollout, "state", ""), "done") ? STATUS_DONE : STATUS_FAILED;
}

/* On a terminal in place; else what has changed. */
static void show_again(json_object *rollout, char **shown)
{
	const char *text = json_object_to_json_string_ext(rollout, JSON_C_TO_STRING_PLAIN);

	if (*shown && !strcmp(*shown, text))
		return;
	free(*shown);
	*shown = strdup(text);
	if (isatty(STDOUT_FILENO))
		(void)printf("\033[H\033[J");
	rollout_show(rollout);
	(void)fflush(stdout);
}

int rollout_follow(const VerbArguments *arguments, const char *id)
{
	const struct timespec pause = {.tv_sec = ASK_EVERY_MS / 1000};
	_cleanup_free_ char *shown = NULL;

	for (;;) {
		_cleanup_json_ json_object *rollout = NULL;
		Error err = {0};

		if (rollout_ask(arguments, id, &rollout, &err) < 0)
			return verb_fail(&err);
		if (!verb_option(arguments, "json"))
			show_again(rollout, &shown);
		if (json_opt_bool(rollout, "ended", false)) {
			if (verb_option(arguments, "json"))
				print_json(rollout);
			return status_of(rollout);
		}
		(void)nanosleep(&pause, NULL);
	}
}

static int list(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *answer = NULL;
	Error err = {0};

	if (hub_ask(arguments, "GET", "/v1/rollouts", NULL, &answer, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json"))
		print_json(json_opt_array(answer, "rollouts"));
	else
		table_show(json_opt_array(answer, "rollouts"), rollout_columns, rollout_row);
	return STATUS_DONE;
}

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *rollout = NULL;
	Error err = {0};

	if (arguments->n_positional == 0)
		return list(arguments);
	if (!name_is_valid(arguments->positional[0]))
		return verb_usage("rollout status", "rollout status: \"%s\" is no rollout",
				  arguments->positional[0]);
	if (verb_option(arguments, "watch"))
		return rollout_follow(arguments, arguments->positional[0]);
	if (rollout_ask(arguments, arguments->positional[0], &rollout, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json"))
		print_json(rollout);
	else
		rollout_show(rollout);
	return STATUS_DONE;
}

const Verb verb_rollout_status = {
	.name = "rollout status",
	.arguments = "[ROLLOUT]",
	.summary = "List rollouts, or show one and its nodes",
	.options =
		(const VerbOption[]){
			{"watch", NULL, "until it has ended"},
			HUB_OPTION_SOCKET,
			{"json", NULL, "print JSON"},
			{0},
		},
	.arguments_min = 0,
	.arguments_max = 1,
	.run = run,
};
