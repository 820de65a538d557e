/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/owner.h"
#include "cli/verb.h"

static int remove_one(Depot *depot, const char *name, bool dry_run, Error *err)
{
	_cleanup_release_ Release *release = NULL;

	/* A damaged one may go as well; one that is not there is told by depot_remove(). */
	if (!dry_run)
		return depot_remove(depot, name, err);
	return release_open(depot, name, &release, err);
}

static int run(const VerbArguments *arguments)
{
	_cleanup_depot_ Depot *depot = NULL;
	bool dry_run = verb_option(arguments, "dry-run") != NULL;
	int status = STATUS_DONE;
	Error err = {0};

	if (owner_depot(arguments, false, &depot, &err) < 0 || depot_lock(depot, &err) < 0)
		return verb_fail(&err);
	for (int i = 0; i < arguments->n_positional; i++) {
		const char *name = arguments->positional[i];

		err = (Error){0};
		if (remove_one(depot, name, dry_run, &err) < 0)
			status = verb_fail(&err);
		else
			(void)printf("Release %s %s\n", name,
				     dry_run ? "would be removed" : "is removed");
	}
	return status;
}

const Verb verb_release_rm = {
	.name = "release rm",
	.arguments = "RELEASE...",
	.summary = "Remove releases",
	.options =
		(const VerbOption[]){
			{"dry-run", NULL, "only say what would be removed"},
			OWNER_OPTION_DIR,
			{0},
		},
	.arguments_min = 1,
	.arguments_max = -1,
	.run = run,
};
