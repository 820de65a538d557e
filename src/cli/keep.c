/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/print.h"
#include "cli/verb.h"

static void print_kept(json_object *answer)
{
	const char *unit = json_opt_string(answer, "unit", "");
	json_object *changes = json_opt_array(answer, "changes");

	(void)printf("%s is kept%s\n", unit,
		     json_opt_bool(answer, "running", true)
			     ? ""
			     : " (it does not run now, so a swap has nothing of it to carry)");
	for (size_t i = 0; i < json_length(changes); i++) {
		json_object *change = json_object_array_get_idx(changes, i);

		(void)printf("  changed: %s=%s; from its next start on %s\n",
			     json_opt_string(change, "directive", ""),
			     json_opt_string(change, "value", ""),
			     json_opt_string(change, "gives_up", ""));
	}
	if (json_opt_bool(answer, "restart_needed", false))
		(void)printf("  needed once: systemctl restart %s\n", unit);
}

static int keep_one(const char *unit, json_object *request, json_object *answers, Error *err)
{
	_cleanup_free_ char *path = NULL;
	json_object *answer = NULL;
	int r = client_unit_path(unit, &path, err);

	if (r >= 0)
		r = client_call("PUT", path, request, &answer, err);
	if (r >= 0)
		(void)json_object_array_add(answers, answer);
	return r;
}

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *request = json_object_new_object();
	_cleanup_json_ json_object *answers = json_object_new_array();
	int status = STATUS_DONE;

	json_put_bool(request, "adapt", verb_option(arguments, "adapt") != NULL);
	json_put_bool(request, "stopped", verb_option(arguments, "stopped") != NULL);
	for (int i = 0; i < arguments->n_positional; i++) {
		Error err = {0};

		if (keep_one(arguments->positional[i], request, answers, &err) < 0)
			status = verb_fail(&err);
		else if (!verb_option(arguments, "json"))
			print_kept(json_object_array_get_idx(answers, json_length(answers) - 1));
	}
	if (verb_option(arguments, "json"))
		print_json(answers);
	return status;
}

const Verb verb_keep = {
	.name = "keep",
	.arguments = "UNIT...",
	.summary = "Keep services or scopes running across swaps",
	.options =
		(const VerbOption[]){
			{"adapt", NULL, "change what of the unit cannot be carried, by a drop-in"},
			{"stopped", NULL, "also if the unit does not run now"},
			{"json", NULL, "print JSON"},
			{0},
		},
	.arguments_min = 1,
	.arguments_max = -1,
	.run = run,
};
