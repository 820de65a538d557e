/* SPDX-License-Identifier: Apache-2.0 */
/* segue rollout pause, resume, abort; segue why. */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/hub.h"
#include "cli/print.h"
#include "release/document.h"

static int wish(const VerbArguments *arguments, const char *what)
{
	const char *id = arguments->positional[0];
	_cleanup_free_ char *path = text_format("/v1/rollouts/%s/%s", id, what);
	_cleanup_json_ json_object *answer = NULL, *body = json_object_new_object();
	Error err = {0};

	if (verb_option(arguments, "send-back"))
		json_put_bool(body, "send_back", true);
	if (!name_is_valid(id))
		return verb_usage("rollout", "rollout %s: \"%s\" is no rollout", what, id);
	if (!path || hub_ask(arguments, "POST", path, body, &answer, &err) < 0)
		return verb_fail(&err);
	(void)printf("Rollout %s: %s\n", id, json_opt_string(answer, "state", ""));
	return STATUS_DONE;
}

static int run_pause(const VerbArguments *arguments)
{
	return wish(arguments, "pause");
}

static int run_resume(const VerbArguments *arguments)
{
	return wish(arguments, "resume");
}

static int run_abort(const VerbArguments *arguments)
{
	return wish(arguments, "abort");
}

static int run_why(const VerbArguments *arguments)
{
	const char *name = arguments->positional[0];
	_cleanup_free_ char *path = text_format("/v1/why/%s", name);
	_cleanup_json_ json_object *answer = NULL;
	const char *sentence;
	Error err = {0};

	if (!name_is_valid(name))
		return verb_usage("why", "why: \"%s\" is no node and no rollout", name);
	if (!path || hub_ask(arguments, "GET", path, NULL, &answer, &err) < 0)
		return verb_fail(&err);
	sentence = json_opt_string(answer, "sentence", "");
	if (verb_option(arguments, "json"))
		print_json(answer);
	else
		(void)printf("%s: %s\n", name, *sentence ? sentence : "nothing stands in its way");
	return STATUS_DONE;
}

static const VerbOption plain[] = {HUB_OPTION_SOCKET, {0}};

const Verb verb_rollout_pause = {
	.name = "rollout pause",
	.arguments = "ROLLOUT",
	.summary = "Begin nothing more until it is resumed",
	.options = plain,
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run_pause,
};

const Verb verb_rollout_resume = {
	.name = "rollout resume",
	.arguments = "ROLLOUT",
	.summary = "Let a paused rollout go on",
	.options = plain,
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run_resume,
};

const Verb verb_rollout_abort = {
	.name = "rollout abort",
	.arguments = "ROLLOUT",
	.summary = "End a rollout; what is under way comes to its end",
	.options =
		(const VerbOption[]){
			{"send-back", NULL, "and what was changed goes back"},
			HUB_OPTION_SOCKET,
			{0},
		},
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run_abort,
};

const Verb verb_why = {
	.name = "why",
	.arguments = "NODE|ROLLOUT",
	.summary = "Tell why a node, or a rollout, waits or ended as it did",
	.options =
		(const VerbOption[]){
			HUB_OPTION_SOCKET,
			{"json", NULL, "print JSON, with the numbers"},
			{0},
		},
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run_why,
};
