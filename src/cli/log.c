/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/client.h"
#include "cli/print.h"
#include "cli/report.h"
#include "cli/verb.h"

static json_object *log_find(json_object *log, const char *id)
{
	for (size_t i = 0; i < json_length(log); i++) {
		json_object *swap = json_object_array_get_idx(log, i);

		if (!strcmp(json_opt_string(swap, "id", ""), id))
			return swap;
	}
	return NULL;
}

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *log = NULL;
	const char *id = arguments->positional[0];
	json_object *chosen;
	Error err = {0};

	if (client_call("GET", "/v1/log", NULL, &log, &err) < 0)
		return verb_fail(&err);
	chosen = id ? log_find(log, id) : log;
	if (!chosen && id) {
		(void)fprintf(stderr,
			      "segue: There was no swap %s; segue log shows those that were\n", id);
		return STATUS_FAILED;
	}
	if (verb_option(arguments, "json"))
		print_json(chosen);
	else if (id)
		report_swap(chosen);
	else if (json_length(log) == 0)
		(void)printf("There was no swap yet\n");
	else
		report_log(log);
	return STATUS_DONE;
}

const Verb verb_log = {
	.name = "log",
	.arguments = "[SWAP]",
	.summary = "List the swaps that were, or report one of them",
	.options = (const VerbOption[]){{"json", NULL, "print JSON"}, {0}},
	.arguments_max = 1,
	.run = run,
};
