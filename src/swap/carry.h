/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files in memory (tmpfs) that kept programs hold or own: /run, /dev/shm, /tmp.  They are copied
 * into the capture and back, since nothing else of those filesystems survives the jump.
 *
 * Carried is: what a kept process has open, maps or works in; what is mounted into a unit's sandbox
 * from there (PrivateTmp=, RuntimeDirectory= ...); what the users of kept processes own in /tmp,
 * /dev/shm and, but for root, in /run; each directory of /run in which a kept process has something
 * open or has bound a socket, whole, be it a unit's RuntimeDirectory= or not; and the notes of the
 * network's and the units' managers, so that they take over what they find instead of doing it
 * anew.
 */
#pragma once

#include <json-c/json.h>

#include "base/error.h"
#include "swap/mounts.h"
#include "swap/tasks.h"

typedef struct Carry Carry;

/* `host`: the mount table of the caller; `dirfd`: where the copies go. */
int carry_new(const MountTable *host, int dirfd, Carry **ret, Error *err);
void carry_free(Carry *carry);
static inline void cleanup_carry(Carry **carry)
{
	carry_free(*carry);
}

/* Copies an absolute path of the host and what is below it, if it is on a filesystem in memory;
 * else does nothing. */
int carry_path(Carry *carry, const char *path, Error *err);

/* What the processes of a unit use and own. */
int carry_tasks(Carry *carry, const TaskList *tasks, Error *err);

/* Notes of managers. */
int carry_system(Carry *carry, Error *err);

/* The list for carry_restore(): [ { "point": "/run", "directory": "tmpfs-0" } ]. */
json_object *carry_describe(const Carry *carry);

/* After the jump, with the host's mounts in place: copies everything back. */
int carry_restore(json_object *list, int dirfd, Error *err);
