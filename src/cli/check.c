/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "cli/client.h"
#include "cli/print.h"
#include "cli/report.h"
#include "cli/verb.h"

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *request = json_object_new_object();
	_cleanup_json_ json_object *result = NULL;
	Error err = {0};

	if (verb_option(arguments, "kernel"))
		json_put_string(request, "kernel", verb_option(arguments, "kernel"));
	json_put_bool(request, "allow_one_way", verb_option(arguments, "allow-one-way") != NULL);
	json_put_bool(request, "no_trial", verb_option(arguments, "no-trial") != NULL);
	if (client_call("POST", "/v1/check", request, &result, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json"))
		print_json(result);
	else
		report_check(result, false);
	return json_opt_bool(result, "ok", false) ? STATUS_DONE : STATUS_REFUSED;
}

const Verb verb_check = {
	.name = "check",
	.arguments = "",
	.summary = "Tell whether a swap would go through, and if not why",
	.options =
		(const VerbOption[]){
			{"kernel", "VERSION", "to that kernel (default: the newest installed)"},
			{"allow-one-way", NULL, "though the installed CRIU cannot leave it again"},
			{"no-trial", NULL, "leave out the trial capture of each unit"},
			{"json", NULL, "print JSON"},
			{0},
		},
	.run = run,
};
