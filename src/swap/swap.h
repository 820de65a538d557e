/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One swap of this machine: the steps of segue(8) from check to confirm.
 *
 * The part before the jump (swap_run()) and the part after it (swap_finish())
 * are run by a child of segued, never by segued itself: they block.  What they
 * know is in files: the status (`swap_status()`) in the journal (journal.h), the
 * reports of past ones in the log (report.h), both under /var/lib/segue.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct SwapRequest {
	const char *kernel; /* version as in /lib/modules; NULL: the newest installed */
	bool allow_one_way; /* go although the installed CRIU could not leave that kernel again */
	bool no_trial;      /* leave out the trial capture of each unit in check */
	bool deep;          /* swap_check(): rehearse, see rehearsal.h, in place of the trials */
	int64_t jump_at_s;  /* swap_run(): real time before which programs are not frozen, so that
			     * machines jump together; 0: as soon as they can be */
} SwapRequest;

/*
 * Examines everything and touches nothing.  The result, which the caller puts:
 *   { "ok": bool, "from": "6.12...", "to": "7.3...",
 *     "store": { "kind": "disk"|"ram", "need_bytes": n, "free_bytes": n },
 *     "units": [ { "unit": "redis-server.service", "carried": bool, "pids": n, "memory_bytes": n,
 *                  "capture_bytes": n, "freeze_us": n } ],    (these two if it was rehearsed)
 *     "boot": see rehearsal.h,                                (if the kernel was)
 *     "findings": [ { "severity": "refusal"|"warning"|"note", "subject": "redis-server.service",
 *                     "resource": "user namespace", "message": "...", "remedy": "..." } ] }
 * `ok` is false if there is a refusal.  An error is returned only if the examination itself could
 * not be done
 * (-ENOENT: no such kernel, ...).
 */
int swap_check(const SwapRequest *request, json_object **ret_result, Error *err);

/* Check to jump.  Returns only if the swap did not happen: -ECANCELED: refused by check (nothing
 * touched); any other: called off, every program goes on under this kernel. */
int swap_run(const SwapRequest *request, Error *err);

/* True in the boot that follows a jump, until swap_finish() is through; and when a swap's worker
 * has died. */
bool swap_unfinished(void);

/* That, or something else that a killed check or swap has left, which swap_finish() mends. */
bool swap_left_behind(void);

/* Adopt and confirm, after the jump; or mends what swap_left_behind() tells of. */
int swap_finish(Error *err);

/* A swap back to the kernel that the last swap left, with the programs as they are now. -ENOENT: it
 * left none. */
int swap_return(Error *err);

/*
 * The swap under way or the last one; null if there was none.
 *   { "id": "20261122-214501", "from": "...", "to": "...",
 *     "state":
 * "check"|"stage"|"warm"|"settle"|"freeze"|"capture"|"jump"|"land"|"restore"|"adopt"|"confirm"
 *              |"done"|"refused"|"called-off"|"returned"|"failed",
 *     "running": bool, "message": "one line: what is being done, or how it ended",
 *     "error": "..."|null,
 *     "steps": [ { "step": "check", "at_us": realtime, "duration_us": n|null } ],
 *     "frozen_us": realtime,    (left out before the first program is frozen)
 *     "blackout_s": 1.9|null,
 *     "units": [ { "unit": "...", "outcome": "carried"|"cold"|"failed", "main_pid": n } ],
 *     "warm_bytes": [ n ],      (copied while the programs ran, by round)
 *     "warnings": [ "..." ] }
 */
int swap_status(json_object **ret_status, Error *err);

/* The reports of all swaps, oldest first: an array of objects as above. */
int swap_log(json_object **ret_array, Error *err);
