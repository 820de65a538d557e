/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/file.h"

/* Who is not root is so in a namespace of its own, and nowhere else. */
static bool privileges_take(void)
{
	char uids[32], gids[32];

	(void)snprintf(uids, sizeof(uids), "0 %d 1", (int)geteuid());
	(void)snprintf(gids, sizeof(gids), "0 %d 1", (int)getegid());
	return unshare(CLONE_NEWUSER) == 0 &&
	       file_write_value(AT_FDCWD, "/proc/self/setgroups", "deny", NULL) == 0 &&
	       file_write_value(AT_FDCWD, "/proc/self/uid_map", uids, NULL) == 0 &&
	       file_write_value(AT_FDCWD, "/proc/self/gid_map", gids, NULL) == 0;
}

bool sandbox_enter(void)
{
	if (geteuid() != 0 && !privileges_take())
		return false;
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", "/run", "tmpfs", 0, "mode=755") == 0 &&
	       mount("tmpfs", "/var/lib", "tmpfs", 0, "mode=755") == 0;
}
