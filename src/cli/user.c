/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "base/file.h"

int user_become(const char *name, const char *directory, Error *err)
{
	const struct passwd *user;
	int r;

	if (geteuid() != 0)
		return 0;
	user = getpwnam(name); /* NOLINT(concurrency-mt-unsafe) */
	if (!user)
		return error_set(err, -ENOENT, "There is no user %s; systemd-sysusers makes it",
				 name);
	r = directory_make(AT_FDCWD, directory, 0700, err);
	if (r < 0)
		return r;
	if (lchown(directory, user->pw_uid, user->pw_gid) < 0 || setgroups(0, NULL) < 0 ||
	    setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0)
		return error_errno(err, -errno, "Making %s that of user %s", directory, name);
	return 0;
}
