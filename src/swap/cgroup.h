/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups of units (cgroup v2), by their path below the root:
 * "/system.slice/redis-server.service". */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* Opens the directory of a group; with `make` makes it and its parents if they are not there. */
int cgroup_open(const char *cgroup, bool make, int *ret_fd, Error *err);

/* Freezes a group and everything below it and waits until it stands still, at most `limit_ms`. */
int cgroup_freeze(int cgroup_fd, const char *cgroup, int limit_ms, Error *err);
int cgroup_thaw(int cgroup_fd, const char *cgroup, Error *err);

/* Kills everything in the group. */
int cgroup_kill(int cgroup_fd, const char *cgroup, Error *err);

/* Waits until no process is left in it. */
int cgroup_wait_empty(int cgroup_fd, const char *cgroup, int limit_ms, Error *err);
