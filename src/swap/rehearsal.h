/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check --deep: each kept unit is captured for real and runs on, and the kernel to go to boots in a
 * guest beside this one.
 *
 * What must be undone is in SEGUE_TRIAL_DIR before it is done, for whoever finds a rehearsal that
 * was killed: rehearsal.json
 *   { "store": location of the captures, "boot_id",
 *     "unit", "post_thaw": of the unit whose PreFreeze= has been run }
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "swap/paths.h"
#include "swap/plan.h"

#define REHEARSAL_RECORD SEGUE_TRIAL_DIR "/rehearsal.json"

/* What it finds goes to the plan's findings; what it measures to plan->rehearsal:
 *   { "units": { NAME: { "capture_bytes": n, "freeze_us": n } },
 *     "boot": { "done": bool, "accelerator": "kvm"|"tcg"|null, "duration_us": n|null,
 *               "steps": [ { "step", "ok", "message" } ] } }
 * An error is returned only if it could not go on: -EINTR: interrupted. */
int rehearsal_run(Plan *plan, Error *err);

/* A trial or rehearsal that was killed: thaws kept units, runs the PostThaw= that is due, wipes the
 * captures.  The caller holds the lock, so that whatever there is is of a dead one. */
void rehearsal_undo(void);

/* The parts of rehearsal_run(). */
int rehearsal_capture(Plan *plan, Error *err);
int rehearsal_boot(Plan *plan, Error *err);

/* A check ends itself cleanly on SIGTERM, which comes also when its parent dies. */
void rehearsal_mind_signals(void);
/* False once it is to end. */
bool rehearsal_goes_on(void);

/* How far a check is, in a line for who waits. */
void rehearsal_tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* What the check under way told last; NULL if it tells nothing.  The caller frees it. */
char *rehearsal_told(void);
