/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The restore that is pending while captures on a disk are all there is of the programs: whatever
 * ends the machine then, the next boot starts the kernel of the way back, which restores them.
 *
 * The file is made by stage, before anything stands still.  Its first line is one word, always as
 * long, which is overwritten in place: one sector, with nothing else to be written, since programs
 * wait for it.  What follows (sealed.h) stays:
 *   { "id": swap id, "image", "initrd", "cmdline": of the way back }
 */
#pragma once

#include <json-c/json.h>

#include "base/error.h"
#include "swap/paths.h"

#define PENDING_FILE SEGUE_SWAP_DIR "/pending"

typedef enum PendingState {
	PENDING_NONE,   /* no such file, or a damaged one */
	PENDING_STAGED, /* the captures are not whole */
	PENDING_ARMED,  /* all of the disks is as the captures know it, and the programs stand still
			 */
	PENDING_TRIED,  /* a boot has begun to restore them, or has decided not to */
	PENDING_ENDED,  /* programs run, or have run since: the captures are of the past */
} PendingState;

/* Makes the file, staged.  `next` has the members above. */
int pending_stage(const char *path, json_object *next, Error *err);

/* `ret_next`, if not NULL, is put by the caller; it is NULL for PENDING_NONE. */
PendingState pending_read(const char *path, json_object **ret_next);

/* After a return of 0 the medium says so.  -ENOENT: there is no such file. */
int pending_mark(const char *path, PendingState state, Error *err);

/* Whether a boot with this id may begin what is armed: 0, or -ESTALE with why not.  `journal` is
 * that of the last swap as the disk has it. */
int pending_judge(json_object *next, json_object *journal, const char *boot_id, Error *err);
