/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other side: making a captured machine's kept programs again, under the kernel that runs now.
 * Linked statically into segue-init; the root filesystem is mounted, systemd does not run yet.
 */
#pragma once

#include <json-c/json.h>
#include <stdint.h>

#include "base/error.h"

typedef struct Restore Restore;

/* Reads the capture in `dirfd`, which must stay open. -EBADMSG: it is not one, or not complete. */
int restore_new(int dirfd, Restore **ret, Error *err);
void restore_free(Restore *restore);

/* The machine was off or reset since the capture: only the wall clock tells for how long. */
void restore_after_reset(Restore *restore);

/* Time since the first program was frozen. */
int64_t restore_elapsed_us(const Restore *restore);

/* Land: the host's mounts, files in memory, host name, clock; then the hold, and the network behind
 * it. */
int restore_machine(Restore *restore, Error *err);

/* Seconds after which restore_units() takes itself to hang, by what there is to restore. */
int64_t restore_limit_s(const Restore *restore);

/* Makes all processes of all units, standing still. If one cannot be made, all are killed again,
 * and none has run. */
int restore_units(Restore *restore, Error *err);

/* Lowers the hold and lets all of them run. */
int restore_thaw(Restore *restore, Error *err);

/* What systemd needs to take them over: see adopt.h. */
int restore_adopt(Restore *restore, Error *err);

/* Kills whatever there is of the units. */
void restore_kill(Restore *restore);

/* capture.json. */
json_object *restore_capture(const Restore *restore);
