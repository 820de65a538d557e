/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/hub.h"
#include "hub/restore.h"

static int run(const VerbArguments *arguments)
{
	const char *directory = hub_directory(arguments);
	_cleanup_(restore_cancel) Restore restore = {0};
	Error err = {0};

	/* The backup is root's to read, the state its user's to write. */
	if (restore_open(arguments->positional[0], &restore, &err) < 0 ||
	    hub_become_owner(directory, &err) < 0 ||
	    restore_finish(&restore, directory, verb_option(arguments, "force") != NULL, &err) < 0)
		return verb_fail(&err);
	(void)printf("%s is as it was in %s; systemctl start segue-hub starts it\n", directory,
		     arguments->positional[0]);
	return STATUS_DONE;
}

const Verb verb_hub_restore = {
	.name = "hub restore",
	.arguments = "FILE",
	.summary = "Take the state of the hub from a backup",
	.options =
		(const VerbOption[]){
			{"force", NULL,
			 "replace the state that is there; it is kept as hub.db.old"},
			HUB_OPTION_DIRECTORY,
			{0},
		},
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run,
};
