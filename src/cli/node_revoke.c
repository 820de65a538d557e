/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/hub.h"

static int run(const VerbArguments *arguments)
{
	_cleanup_free_ char *path = NULL;
	Error err = {0};

	if (hub_node_path(arguments, "", &path, &err) < 0 ||
	    hub_ask(arguments, "DELETE", path, NULL, NULL, &err) < 0)
		return verb_fail(&err);
	(void)printf("Node %s is none any more; its name can join again with a new token\n",
		     arguments->positional[0]);
	return STATUS_DONE;
}

const Verb verb_node_revoke = {
	.name = "node revoke",
	.arguments = "NODE",
	.summary = "Let the certificates of a node count no more, and forget it",
	.options = (const VerbOption[]){HUB_OPTION_SOCKET, {0}},
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run,
};
