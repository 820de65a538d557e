/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the processes of a unit can be carried, as far as /proc tells.  The rest a trial capture
 * tells. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <sys/types.h>

#include "swap/tasks.h"

/* PIDs below are used by kernel threads and early boot: a process that has one could not have it
 * again. */
#define PID_FIRST_KEPT 300

/* Adds to `findings` what stands in the way of carrying these processes. */
void inspect_tasks(const char *unit, const TaskList *tasks, json_object *findings);

/* True if the process has a user namespace of its own.  inspect_tasks() refuses it unless the
 * process is powerless in it, so that it may as well live in the host's (see src/criu/shim.c). */
bool inspect_has_userns(pid_t pid);
