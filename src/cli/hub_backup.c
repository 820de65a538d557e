/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/hub.h"
#include "hub/db.h"

/* The copy of a hub that runs. */
static int backup_fetch(const VerbArguments *arguments, const char *path, Error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), r;
	_cleanup_fclose_ FILE *to = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (!to)
		return error_errno(err, -errno, "Making %s", path);
	r = hub_download(arguments, "/v1/backup", to, err);
	if (r == 0 && (fflush(to) != 0 || fsync(fd) < 0))
		r = error_errno(err, -errno, "Writing %s", path);
	if (r == 0)
		r = db_check_file(path, err);
	if (r < 0)
		(void)unlink(path);
	return r;
}

/* That of one that does not.  Only its user, or root, may read it. */
static int backup_copy(const VerbArguments *arguments, const char *path, Error *err)
{
	_cleanup_db_ Db *db = NULL;
	int r = db_open(hub_directory(arguments), &db, err);

	return r < 0 ? r : db_copy(db, path, err);
}

static int run(const VerbArguments *arguments)
{
	const char *path = arguments->positional[0];
	Error err = {0};
	int r;

	if (path_exists(AT_FDCWD, path))
		return verb_fail(&(Error){.code = -EEXIST,
					  .text = "The file is there already; name another"});
	r = backup_fetch(arguments, path, &err);
	if (r == -ECONNREFUSED)
		r = backup_copy(arguments, path, &err);
	if (r < 0)
		return verb_fail(&err);
	(void)printf("%s holds the hub's state and the key of its certificate authority: keep it "
		     "as a secret\n",
		     path);
	return STATUS_DONE;
}

const Verb verb_hub_backup = {
	.name = "hub backup",
	.arguments = "FILE",
	.summary = "Copy the state of the hub to a file",
	.options = (const VerbOption[]){HUB_OPTION_DIRECTORY, HUB_OPTION_SOCKET, {0}},
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run,
};
