/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/hub.h"
#include "cli/policy.h"
#include "cli/print.h"
#include "cli/rollout.h"

static json_object *hooks_of(const VerbArguments *arguments)
{
	static const char *const names[][2] = {{"gate-before", "gate_before"},
					       {"gate", "gate_after"},
					       {"drain", "drain"},
					       {"undrain", "undrain"},
					       {"event", "event"}};
	json_object *hooks = json_object_new_object();

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (verb_option(arguments, names[i][0]))
			json_put_string(hooks, names[i][1], verb_option(arguments, names[i][0]));
	return hooks;
}

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *body = json_object_new_object(), *answer = NULL;
	_cleanup_policy_ Policy policy = {0};
	Error err = {0};

	if (policy_of(arguments, arguments->positional[0], &policy, &err) < 0)
		return verb_usage("rollout start", "%s", err.text);
	(void)json_object_object_add(body, "policy", policy_to_json(&policy));
	(void)json_object_object_add(body, "hooks", hooks_of(arguments));
	if (hub_ask(arguments, "POST", "/v1/rollouts", body, &answer, &err) < 0)
		return verb_fail(&err);
	if (!verb_option(arguments, "wait")) {
		if (verb_option(arguments, "json"))
			print_json(answer);
		else
			(void)printf("Rollout %s; segue rollout status %s --watch shows it\n",
				     json_opt_string(answer, "id", ""),
				     json_opt_string(answer, "id", ""));
		return STATUS_DONE;
	}
	return rollout_follow(arguments, json_opt_string(answer, "id", ""));
}

const Verb verb_rollout_start = {
	.name = "rollout start",
	.arguments = "RELEASE",
	.summary = "Move nodes onto a release, a few at a time",
	.options =
		(const VerbOption[]){
			POLICY_OPTIONS,
			{"gate", "COMMAND|URL", "run here after each swap; it must exit with 0"},
			{"gate-before", "COMMAND|URL",
			 "the same, before anything is done to a node"},
			{"drain", "COMMAND|URL", "run here to take a node out of service"},
			{"undrain", "COMMAND|URL", "run here to put it back"},
			{"event", "COMMAND|URL", "told what happens: $EVENT"},
			{"wait", NULL, "until it has ended, and show how it goes"},
			HUB_OPTION_SOCKET,
			{"json", NULL, "print JSON"},
			{0},
		},
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run,
};
