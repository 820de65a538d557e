/* SPDX-License-Identifier: Apache-2.0 */
/* Copying file trees with everything that a program can see of them: owners, modes, times, extended
 * attributes, holes. */
#pragma once

#include "base/error.h"

/*
 * Copies `path` (relative, "." for all) and what is below it from one directory to another, where
 * it gets the same relative path; missing parent directories are made like those at the source.
 * Symbolic links are copied, not followed, anywhere. Stays on one filesystem: a mount point becomes
 * an empty directory.  Sockets are left out: whoever binds them makes them.  What vanishes
 * meanwhile is passed over.
 */
int tree_copy(int from_dirfd, int to_dirfd, const char *path, Error *err);

/* Only `path` itself (if a directory, empty) and its parents. */
int tree_copy_entry(int from_dirfd, int to_dirfd, const char *path, Error *err);
