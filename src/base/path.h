/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths that others than root may have had a hand in: what they name is reached through no symbolic
 * link, so that a link put there in the meantime leads nowhere.  They are canonical, as the kernel
 * tells paths in /proc; -ELOOP: there is a link.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"

/* Opens an absolute path: a descriptor, or -errno.  With O_PATH and O_NOFOLLOW the last component
 * may be a link, and is then what is opened. */
int path_open(const char *path, int flags, Error *err);

/* As that, of a path below a directory that leads to nothing outside of it. */
int path_open_below(int dirfd, const char *path, int flags, Error *err);

/* Opens a directory by its absolute path, with O_PATH, so that nothing is mounted by automount;
 * what is missing on the way is made, with `mode`. */
int directory_reach(const char *path, mode_t mode, Error *err);

/* As that, of the directory above `path`, whose last component is not looked at. */
int directory_reach_above(const char *path, mode_t mode, Error *err);

/* A path for system calls that take no descriptor, to what `fd` is open on, whatever its name is by
 * now. */
typedef struct FdPath {
	char text[32];
} FdPath;
FdPath fd_path(int fd);
