/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/hub.h"

static int run(const VerbArguments *arguments)
{
	_cleanup_free_ char *suffix = text_format("/orders/%s", arguments->positional[1]);
	_cleanup_free_ char *path = NULL;
	Error err = {0};

	if (!suffix || hub_node_path(arguments, suffix, &path, &err) < 0 ||
	    hub_ask(arguments, "DELETE", path, NULL, NULL, &err) < 0)
		return verb_fail(&err);
	return STATUS_DONE;
}

const Verb verb_node_cancel = {
	.name = "node cancel",
	.arguments = "NODE ORDER",
	.summary = "Call an order off; a node that has begun is not stopped",
	.options = (const VerbOption[]){HUB_OPTION_SOCKET, {0}},
	.arguments_min = 2,
	.arguments_max = 2,
	.run = run,
};
