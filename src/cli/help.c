/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verb.h"

static int run(const VerbArguments *arguments)
{
	const Verb *verb;
	int used, status;

	if (arguments->n_positional == 0) {
		verb_print_overview();
		return STATUS_DONE;
	}
	verb = verb_match(arguments->n_positional, arguments->positional, &used, &status);
	if (!verb)
		return status;
	verb_print_help(verb);
	return STATUS_DONE;
}

const Verb verb_help = {
	.name = "help",
	.arguments = "[VERB]",
	.summary = "Show what there is, or what a verb does",
	.options = (const VerbOption[]){{0}},
	.arguments_max = 2,
	.run = run,
};
