/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount tables: reading them (proc_pid_mountinfo(5)), describing them for the other side of the
 * jump, and making the host's mounts again there.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct Mount {
	unsigned id, parent, major, minor;
	char *root;    /* what of the filesystem is mounted, "/" for all of it */
	char *point;   /* where */
	char *options; /* of this mount: "rw,nosuid,relatime" */
	char *fstype, *source;
	char *super; /* of the filesystem: "rw,size=1024k,mode=755" */
} Mount;

typedef struct MountTable {
	Mount *mounts; /* in the order of the kernel's list: a parent before its children */
	size_t n;
} MountTable;

/* Reads /proc/PID/mountinfo; pid 0: the caller's. */
int mounts_read(pid_t pid, MountTable *ret, Error *err);

/* The same from text: for tests.  -EBADMSG names the line. */
int mounts_parse(const char *text, MountTable *ret, Error *err);

void mounts_free(MountTable *table);

/* Mount that a path of the caller's namespace is on, by its id (statx(2)); NULL if it is not in the
 * table. */
const Mount *mounts_of_path(const MountTable *table, const char *path);

/* Mount that an absolute path is on if no symbolic link is followed, by the points of the mounts
 * alone; NULL if the table has not even a root. */
const Mount *mounts_above(const MountTable *table, const char *path);

/* Mount with this id, or NULL. */
const Mount *mounts_by_id(const MountTable *table, unsigned id);

/* True for what the new boot makes by itself when it is needed, and for what belongs to somebody
 * who is not kept: automounts, namespaces kept by a bind mount, containers' layers, users' and
 * other units' run-time directories. */
bool mount_is_left_out(const Mount *mount);

bool mount_is_memory(const Mount *mount); /* tmpfs or ramfs: its content is gone after the jump */

/*
 * Finds where in the caller's namespace the same files can be reached that `mount` (of another
 * namespace) shows. The caller frees it; NULL if nowhere.
 */
char *mount_find_source(const MountTable *host, const Mount *mount);

/* The same for a filesystem of the other namespace's own, of which an earlier mount there (index
 * below `i` of `table`) shows more: the path below that mount, in that namespace.  The caller frees
 * it; NULL if there is none. */
char *mount_find_inside(const MountTable *table, size_t i);

/* Describes one mount; the members are named as in struct Mount. */
json_object *mount_describe(const Mount *mount);

/* mount(2) with options as one text, as in /proc/self/mountinfo or fstab(5):
 * "rw,relatime,subvol=/@rootfs". */
int filesystem_mount(const char *source, const char *target, const char *fstype,
		     const char *options, Error *err);

/* Mounts one filesystem as described at `target` (a bind mount if the description has "from").
 * Flags of the mount are set by mount_set_flags(), so that its content can be written first. */
int mount_make(json_object *description, const char *target, Error *err);
int mount_set_flags(json_object *description, const char *target, Error *err);

/* After the jump: makes the host's mounts again, in order, below the root that is there.
 * Filesystems of the kernel's own that it does not have are passed over; one on a device that
 * cannot be mounted is an error. */
int mounts_restore(json_object *descriptions, Error *err);
