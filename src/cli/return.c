/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/json.h"
#include "cli/client.h"
#include "cli/follow.h"
#include "cli/report.h"
#include "cli/verb.h"

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *before = NULL, *after = NULL;
	bool quiet = verb_option(arguments, "quiet") || verb_option(arguments, "json");
	const char *id;
	Error err = {0};
	int r;

	if (client_call("GET", "/v1/swap", NULL, &before, &err) < 0)
		return verb_fail(&err);
	id = json_opt_string(before, "id", "");
	r = client_call("POST", "/v1/return", NULL, NULL, &err);
	/* The answer is cut off by the jump. */
	if (r < 0 && r != -ECONNRESET)
		return verb_fail(&err);
	/* It is a swap of its own, with an id of its own. */
	if (follow_swap(NULL, id, quiet, &after, &err) < 0)
		return verb_fail(&err);
	return report_end(arguments, after);
}

const Verb verb_return = {
	.name = "return",
	.arguments = "",
	.summary = "Go back to the kernel before, with the programs as they are now",
	.options =
		(const VerbOption[]){
			{"quiet", NULL, "print errors only"},
			{"json", NULL, "print JSON: how it ended"},
			{0},
		},
	.run = run,
};
