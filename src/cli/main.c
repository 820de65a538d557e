/* SPDX-License-Identifier: Apache-2.0 */
/* segue: see segue(8). */
#include <stdio.h>
#include <string.h>

#include "cli/verb.h"

int main(int argc, char *argv[])
{
	const Verb *verb;
	int used, status;

	if (argc < 2)
		return verb_usage("", "A verb is missing");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		verb_print_overview();
		return STATUS_DONE;
	}
	if (!strcmp(argv[1], "--version")) {
		(void)printf("segue %s\n", SEGUE_VERSION);
		return STATUS_DONE;
	}
	verb = verb_match(argc - 1, argv + 1, &used, &status);
	return verb ? verb_main(verb, argc - used, argv + used) : status;
}
