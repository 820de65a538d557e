/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The namespaces of a sandboxed unit: described before the jump, made again after it.
 *
 * criu runs inside them (see criu.h) and so neither dumps nor restores them.  That leaves segue to
 * build them, from what the kernel shows of them, without systemd, which is not running yet.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "swap/criu.h"
#include "swap/mounts.h"

/* True if the process is in another namespace of this name ("mnt", "uts", ...) than `other`. */
bool namespace_differs(pid_t pid, pid_t other, const char *name);

/*
 * Describes the namespaces of `pid` in which it is apart from the host's (those of PID 1):
 *   { "mnt": [ mount descriptions; "from": host path, or "inside": path in the namespace, or
 * "content": directory in `content_fd` ], "uts": "hostname", "ipc": true, "net": true, "cgroup":
 * true, "monotonic_us": n, "boottime_us": n } The content of private memory filesystems is copied
 * into directories of `content_fd` (-1: not).
 */
int namespaces_describe(pid_t pid, const MountTable *host, int content_fd, json_object **ret,
			Error *err);

/* Opens the namespaces that namespaces_describe() describes, for criu to enter while dumping. */
int namespaces_open(pid_t pid, CriuJob *job, Error *err);

/*
 * After the jump: makes the namespaces and opens them.  `elapsed_us`: time since the description
 * was made, that the clocks go on by; `cgroup_fd`: the unit's control group, for the root of its
 * cgroup namespace.
 */
int namespaces_make(json_object *description, int content_fd, int cgroup_fd, int64_t elapsed_us,
		    CriuJob *job, Error *err);

void namespaces_close(CriuJob *job);
