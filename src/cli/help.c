/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verb.h"

static int run(const VerbArguments *arguments)
{
	const Verb *verb;

	if (arguments->n_positional == 0) {
		verb_print_overview();
		return STATUS_DONE;
	}
	verb = verb_find(arguments->positional[0]);
	if (!verb)
		return verb_usage("", "\"%s\" is not a verb", arguments->positional[0]);
	verb_print_help(verb);
	return STATUS_DONE;
}

const Verb verb_help = {
	.name = "help",
	.arguments = "[VERB]",
	.summary = "Show what there is, or what a verb does",
	.options = (const VerbOption[]){{0}},
	.arguments_max = 1,
	.run = run,
};
