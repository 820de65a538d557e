/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files on disks that captured programs have open, or mapped and writable, and the directories
 * that they work in, as they were while the programs stood still.  In a swap nobody can change them
 * before the programs run again.  Where a boot has come in between, somebody may have: then their
 * memory no longer fits, and going on from it would ruin what they hold.
 *
 * "openfiles" of a unit in capture.json, and of the machine:
 *   [ { "path": for people,
 *       "point": of a mount of its filesystem, "handle", "handle_type": name_to_handle_at(2),
 *       "mode": as of stat(2), "size": in bytes, of a file, "mtime_ns" } ]
 * Without a handle nobody can tell whether it is the same.
 */
#pragma once

#include <json-c/json.h>

#include "base/error.h"
#include "swap/mounts.h"
#include "swap/tasks.h"

/* The caller puts the list.  The processes must be frozen. */
int openfiles_note(const TaskList *tasks, const MountTable *host, json_object **ret, Error *err);

/* What tells whether a boot has come in between that has started units: one file, or none where the
 * machine does not have it. */
int openfiles_note_boot(const MountTable *host, json_object **ret, Error *err);

/* -ESTALE names the file that is another, or cannot be told from another.  The filesystems are
 * mounted where they were. */
int openfiles_check(json_object *files, Error *err);

/* The same for a whole capture; -ESTALE as well if a unit of it has no list. */
int openfiles_check_all(json_object *capture, Error *err);
