/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/print.h"
#include "cli/verb.h"
#include "fleet/forecast.h"
#include "fleet/rollout.h"
#include "fleet/save.h"

/* The keys of a policy have the options' names, with underscores. */
static void key_of(const char *option, char *key, size_t size)
{
	(void)snprintf(key, size, "%s", option);
	for (char *p = key; (p = strchr(p, '-'));)
		*p = '_';
}

static int policy_parse(const VerbArguments *arguments, Policy *policy, Error *err)
{
	int r = policy_init(policy, err);

	if (r == 0 && arguments->positional[1])
		r = policy_set(policy, "release", arguments->positional[1], err);
	for (size_t i = 0; r == 0 && i < arguments->n_given; i++) {
		const VerbOption *option = arguments->given[i].option;
		char key[32];

		if (!strcmp(option->name, "json"))
			continue;
		key_of(option->name, key, sizeof(key));
		r = policy_set(policy, key, option->argument ? arguments->given[i].value : "true",
			       err);
	}
	return r;
}

static void step_row(json_object *step, const char **cells, PrintText *texts)
{
	texts[0] = print_duration(json_opt_int(step, "at_s", 0) * SECOND_US);
	texts[1] = print_number(json_opt_int(step, "wave", 0));
	cells[0] = texts[0].text;
	cells[1] = texts[1].text;
	cells[2] = json_opt_string(step, "node", "");
	cells[3] = json_opt_string(step, "group", "");
}

static int print_plan(json_object *plan)
{
	static const PrintColumn columns[] = {{"AT", PRINT_RIGHT},
					      {"WAVE", PRINT_RIGHT},
					      {"NODE", PRINT_LEFT},
					      {"GROUP", PRINT_LEFT}};
	json_object *steps = json_opt_array(plan, "steps"), *left = json_opt_array(plan, "left");
	size_t n = json_length(steps);
	_cleanup_free_ const char **cells = calloc(n + 1, 4 * sizeof(*cells));
	_cleanup_free_ PrintText *texts = calloc(n + 1, 2 * sizeof(*texts));

	if (!cells || !texts)
		return verb_fail(&(Error){.code = -ENOMEM, .text = "Out of memory"});
	for (size_t i = 0; i < n; i++)
		step_row(json_object_array_get_idx(steps, i), cells + 4 * i, texts + 2 * i);
	if (n > 0)
		print_table(columns, 4, cells, n);
	for (size_t i = 0; i < json_length(left); i++) {
		json_object *node = json_object_array_get_idx(left, i), *why = NULL;

		(void)json_object_object_get_ex(node, "why", &why);
		(void)printf("%s: %s: %s\n", json_opt_string(node, "node", ""),
			     json_opt_string(node, "state", ""),
			     json_opt_string(why, "sentence", ""));
	}
	(void)printf("%zu of %lld nodes would be changed, in %s\n", n,
		     (long long)json_opt_int(plan, "nodes", 0),
		     print_duration(json_opt_int(plan, "duration_s", 0) * SECOND_US).text);
	return STATUS_DONE;
}

static int fleet_read(const char *path, Fleet **ret, Error *err)
{
	_cleanup_json_ json_object *o = NULL;
	int r = json_read(AT_FDCWD, path, &o, err);

	if (r < 0)
		return r;
	r = fleet_load(o, ret, err);
	return r < 0 ? error_prefix(err, "%s", path) : 0;
}

static int run(const VerbArguments *arguments)
{
	_cleanup_fleet_ Fleet *fleet = NULL;
	_cleanup_policy_ Policy policy = {0};
	_cleanup_json_ json_object *plan = NULL;
	Error err = {0};
	int index;

	if (policy_parse(arguments, &policy, &err) < 0)
		return verb_usage("rollout plan", "%s", err.text);
	if (fleet_read(arguments->positional[0], &fleet, &err) < 0 ||
	    rollout_start(fleet, "plan", &policy, &index, &err) < 0 ||
	    forecast_make(fleet, index, clock_realtime_us(), &plan, &err) < 0)
		return verb_fail(&err);
	if (!verb_option(arguments, "json"))
		return print_plan(plan);
	print_json(plan);
	return STATUS_DONE;
}

const Verb verb_rollout_plan = {
	.name = "rollout plan",
	.arguments = "FLEET RELEASE",
	.summary = "Show what a rollout would do, in order, before anything does",
	.options =
		(const VerbOption[]){
			{"group", "NAME", "only this group; may be repeated"},
			{"max-unavailable", "N|N%", "of a group, for whatever reason (default: 1)"},
			{"max-changing", "N|N%", "of a group, being changed"},
			{"max-unhealthy", "N|N%", "of a group; with more, nothing begins"},
			{"max-unhealthy-after", "N|N%", "of those changed; more stop it"},
			{"max-failed", "N|N%", "of all nodes; more stop it (default: 0)"},
			{"canary", "N", "nodes to go first (default: 1)"},
			{"wave", "N|N%", "nodes of the first wave after them"},
			{"growth", "PERCENT", "of each wave after that (default: 200)"},
			{"soak", "TIME", "to watch each node (default: 5min)"},
			{"apart", "LABEL", "one value of the label at a time"},
			{"pair-by", "LABEL", "never two nodes with the same value"},
			{"pair", "A,B", "never two of these nodes"},
			{"quorum", "A,B,C", "a majority of these stays up"},
			{"window", "TEXT", "as \"Sat 02:00-06:00 +01:00\"; may be repeated"},
			{"priority", "N", "above other rollouts (default: 0)"},
			{"all-at-once", NULL, "every node together"},
			{"min-ready", "PERCENT", "that all at once needs (default: 100)"},
			{"expect", "TIME", "that one node takes (default: 2min)"},
			{"json", NULL, "print JSON"},
			{0},
		},
	.arguments_min = 2,
	.arguments_max = 2,
	.run = run,
};
