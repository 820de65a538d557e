/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/policy.h"
#include "cli/print.h"
#include "cli/verb.h"
#include "fleet/forecast.h"
#include "fleet/rollout.h"
#include "fleet/save.h"

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

	if (policy_of(arguments, arguments->positional[1], &policy, &err) < 0)
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
			POLICY_OPTIONS,
			{"json", NULL, "print JSON"},
			{0},
		},
	.arguments_min = 2,
	.arguments_max = 2,
	.run = run,
};
