/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/install.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/print.h"
#include "cli/verb.h"

int install_release(const char *release, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *body = json_object_new_object();

	json_put_string(body, "release", release);
	return client_call("POST", "/v1/install", body, ret, err);
}

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *answer = NULL;
	Error err = {0};

	if (install_release(arguments->positional[0], &answer, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json"))
		print_json(answer);
	else
		(void)printf("Kernel %s is %s; segue swap --kernel %s moves this machine onto it\n",
			     json_opt_string(answer, "kernel", "?"),
			     json_opt_bool(answer, "was_there", false) ? "here already"
								       : "installed",
			     json_opt_string(answer, "kernel", "?"));
	return STATUS_DONE;
}

const Verb verb_install = {
	.name = "install",
	.arguments = "RELEASE",
	.summary = "Install the kernel of a release that has come to this machine",
	.options = (const VerbOption[]){{"json", NULL, "print JSON"}, {0}},
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run,
};
