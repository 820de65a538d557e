/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/link.h"
#include "cli/verb.h"
#include "link/join.h"
#include "link/paths.h"

static int leave(void *data, Error *err)
{
	int r = join_leave(data, LINK_DIRECTORY, err);

	/* Then it is none any more. */
	return r == -EKEYREJECTED ? 0 : r;
}

static int hub_tell(bool force, Error *err)
{
	_cleanup_link_config_ LinkConfig node = {0};
	int r = link_config_read(LINK_CONFIG, &node, err);

	if (r == -ENOENT)
		return force ? 0 : error_set(err, -ENOENT, "This machine is no node of a hub");
	if (r == 0)
		r = link_as_user(leave, &node, err);
	if (r < 0 && !force)
		return error_hint(err, "segue leave --force leaves without telling the hub");
	if (r < 0)
		(void)fprintf(stderr,
			      "segue: warning: %s; have it revoke this node: segue node revoke "
			      "%s\n",
			      err->text, node.name ? node.name : "NODE");
	return 0;
}

static int node_remove(bool force, Error *err)
{
	int r;

	if (geteuid() != 0)
		return error_set(err, -EACCES, "Only root may make a machine no node; use sudo");
	/* Until the hub knows, nothing is lost by an interruption. */
	if ((r = link_systemctl("stop", NULL, err)) < 0 && !force)
		return r;
	if ((r = hub_tell(force, err)) < 0) {
		(void)link_systemctl("start", NULL, NULL);
		return r;
	}
	if ((r = link_systemctl("disable", NULL, err)) < 0 && !force)
		return r;
	if ((r = directory_remove(AT_FDCWD, LINK_DIRECTORY, err)) < 0)
		return r;
	(void)unlink(LINK_STATUS);
	if (unlink(LINK_CONFIG) < 0 && errno != ENOENT)
		return error_errno(err, -errno, "Removing " LINK_CONFIG);
	return 0;
}

static int run(const VerbArguments *arguments)
{
	Error err = {0};

	if (node_remove(verb_option(arguments, "force"), &err) < 0)
		return verb_fail(&err);
	return STATUS_DONE;
}

const Verb verb_leave = {
	.name = "leave",
	.arguments = "",
	.summary = "Make this machine a node of its hub no longer",
	.options =
		(const VerbOption[]){
			{"force", NULL, "also if the hub cannot be told"},
			{0},
		},
	.run = run,
};
