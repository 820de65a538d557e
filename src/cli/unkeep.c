/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/verb.h"

static int unkeep_one(const char *unit, Error *err)
{
	_cleanup_json_ json_object *answer = NULL;
	_cleanup_free_ char *path = NULL;
	int r = client_unit_path(unit, &path, err);

	if (r >= 0)
		r = client_call("DELETE", path, NULL, &answer, err);
	if (r < 0)
		return r;
	unit = json_opt_string(answer, "unit", unit);
	(void)printf("%s is no longer kept\n", unit);
	if (json_opt_bool(answer, "restart_needed", false))
		(void)printf(
			"  its settings from before it was adapted take effect with: systemctl "
			"restart %s\n",
			unit);
	return 0;
}

static int run(const VerbArguments *arguments)
{
	int status = STATUS_DONE;

	for (int i = 0; i < arguments->n_positional; i++) {
		Error err = {0};

		if (unkeep_one(arguments->positional[i], &err) < 0)
			status = verb_fail(&err);
	}
	return status;
}

const Verb verb_unkeep = {
	.name = "unkeep",
	.arguments = "UNIT...",
	.summary = "Keep them no longer; they go on running until the next swap",
	.options = (const VerbOption[]){{0}},
	.arguments_min = 1,
	.arguments_max = -1,
	.run = run,
};
