/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/client.h"
#include "cli/follow.h"
#include "cli/report.h"
#include "cli/verb.h"

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *before = NULL, *after = NULL;
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
	if (follow_swap(id, NULL, verb_option(arguments, "quiet") != NULL, &after, &err) < 0)
		return verb_fail(&err);
	if (!verb_option(arguments, "quiet"))
		report_swap(after);
	return report_exit_status(after) == STATUS_RETURNED ? STATUS_DONE
							    : report_exit_status(after);
}

const Verb verb_return = {
	.name = "return",
	.arguments = "",
	.summary = "Go back to the kernel before, as long as the swap is not confirmed",
	.options = (const VerbOption[]){{"quiet", NULL, "print errors only"}, {0}},
	.run = run,
};
