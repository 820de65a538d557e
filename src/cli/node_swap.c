/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/hub.h"
#include "cli/print.h"

#define ASK_EVERY_MS 500

static json_object *order_of(const VerbArguments *arguments, const char *kind)
{
	static const char *const texts[] = {"kernel", "release"};
	static const char *const flags[][2] = {
		{"allow-one-way", "allow_one_way"}, {"no-trial", "no_trial"}, {"reboot", "reboot"}};
	json_object *order = json_object_new_object();

	json_put_string(order, "kind", kind);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (verb_option(arguments, texts[i]))
			json_put_string(order, texts[i], verb_option(arguments, texts[i]));
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (verb_option(arguments, flags[i][0]))
			json_put_bool(order, flags[i][1], true);
	return order;
}

static bool order_is_final(json_object *order)
{
	return json_opt_int(order, "finished_s", 0) != 0;
}

/* Asks until the order is final; tells on the way what changes. */
static int order_follow(const VerbArguments *arguments, json_object **order, Error *err)
{
	const struct timespec pause = {.tv_nsec = ASK_EVERY_MS * 1000000L};
	_cleanup_free_ char *suffix =
		text_format("/orders/%lld", (long long)json_opt_int(*order, "id", 0));
	_cleanup_free_ char *path = NULL;
	int r = hub_node_path(arguments, suffix ? suffix : "", &path, err);

	while (r == 0 && !order_is_final(*order)) {
		json_object *next = NULL;

		(void)nanosleep(&pause, NULL);
		r = hub_ask(arguments, "GET", path, NULL, &next, err);
		if (r < 0)
			break;
		if (!verb_option(arguments, "json") &&
		    strcmp(json_opt_string(next, "state", ""),
			   json_opt_string(*order, "state", "")) != 0)
			(void)printf("%s\n", json_opt_string(next, "state", ""));
		(void)json_object_put(*order);
		*order = next;
	}
	return r;
}

static int order_run(const VerbArguments *arguments, const char *verb, const char *kind)
{
	_cleanup_json_ json_object *body = order_of(arguments, kind), *order = NULL;
	_cleanup_free_ char *path = NULL;
	Error err = {0};

	if (verb_option(arguments, "kernel") && verb_option(arguments, "release"))
		return verb_usage(verb, "%s: --kernel and --release exclude each other", verb);
	if (hub_node_path(arguments, "/orders", &path, &err) < 0 ||
	    hub_ask(arguments, "POST", path, body, &order, &err) < 0 ||
	    (!verb_option(arguments, "detach") && order_follow(arguments, &order, &err) < 0))
		return verb_fail(&err);
	if (verb_option(arguments, "json"))
		print_json(order);
	if (verb_option(arguments, "detach")) {
		if (!verb_option(arguments, "json"))
			(void)printf("Order %lld; segue node show %s tells how far it is\n",
				     (long long)json_opt_int(order, "id", 0),
				     arguments->positional[0]);
		return STATUS_DONE;
	}
	if (!strcmp(json_opt_string(order, "state", ""), "done"))
		return STATUS_DONE;
	(void)fprintf(stderr, "segue: %s: %s: %s\n", arguments->positional[0],
		      json_opt_string(order, "state", ""), json_opt_string(order, "message", ""));
	return STATUS_FAILED;
}

static int run_swap(const VerbArguments *arguments)
{
	return order_run(arguments, "node swap", "swap");
}

static int run_stage(const VerbArguments *arguments)
{
	return order_run(arguments, "node stage", "stage");
}

static const VerbOption options[] = {
	{"kernel", "VERSION", "that kernel (default: the newest installed there)"},
	{"release", "RELEASE", "the kernel of that release, which is installed"},
	{"allow-one-way", NULL, "go where the CRIU installed there cannot leave again"},
	{"no-trial", NULL, "leave out the trial capture of each unit"},
	{"reboot", NULL, "carry nothing: reboot into it, without the firmware"},
	{"detach", NULL, "do not wait for the end"},
	HUB_OPTION_SOCKET,
	{"json", NULL, "print JSON: the order, and how it ended"},
	{0},
};

const Verb verb_node_swap = {
	.name = "node swap",
	.arguments = "NODE",
	.summary = "Have a node move onto another kernel",
	.options = options,
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run_swap,
};

const Verb verb_node_stage = {
	.name = "node stage",
	.arguments = "NODE",
	.summary = "Have a node get ready to move, and check whether it could",
	.options = options,
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run_stage,
};
