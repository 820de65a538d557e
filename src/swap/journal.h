/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of the swap under way: which state it is in, since when, and how it went so far.
 *
 * It is one JSON object in a file (journal_file.h) that is replaced atomically and synced at each
 * transition, before the transition takes effect, and of which the one before is kept; whoever
 * finds the machine, in whatever boot, reads there what is true.  In landing, between the jump and
 * systemd, it lies in memory instead: waiting for the disk would be part of the blackout, and
 * whoever finds the machine after that boot has ended is to do what the file on disk says, which is
 * that it has jumped.  Format: swap_status() in swap.h, and "blackout_us": from "frozen_us" until
 * they ran again, "store": location of the captures, "stopped": units that settle stopped
 * "boot_id": of the boot that it began in, "worker_pid": who works on it there "landed_boot_id": of
 * the boot that segue-init led to, "direction": "forward" or "return" once landed, "reason": why it
 * returned
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>

#include "base/error.h"
#include "swap/state.h"

typedef struct Journal Journal;

/* A new swap, in the state check.  Whatever the file held is gone: the last swap's report is in the
 * log.  -EPROTONOSUPPORT: it holds one of a newer segue, and is left alone. */
int journal_begin(const char *from, const char *to, Journal **ret, Error *err);

/* The swap under way or the last one; if its file is damaged, as it was one transition before, with
 * a warning.  -ENOENT: there is none; -EBADMSG: both are damaged; -EPROTONOSUPPORT: it is of a
 * newer segue. */
int journal_open(Journal **ret, Error *err);

/* journal_open() would say -EBADMSG. */
bool journal_is_damaged(void);

/* Puts a damaged one aside, for people, and begins another that knows no more than the id; it is on
 * no medium until it enters a state. */
int journal_replace(const char *id, Journal **ret, Error *err);

void journal_free(Journal *journal);
static inline void cleanup_journal(Journal **journal)
{
	journal_free(*journal);
}
#define _cleanup_journal_ __attribute__((cleanup(cleanup_journal)))

SwapState journal_state(const Journal *journal);

/* Where it is written from now on: to memory, or to the disk again. */
int journal_to_memory(Journal *journal, Error *err);
void journal_to_disk(Journal *journal);

/* Enters a state. */
int journal_enter(Journal *journal, SwapState state, Error *err);

/* Enters an end state, with why if it did not go well. */
int journal_end(Journal *journal, SwapState state, const Error *why, Error *err);

/* Adds a line to "warnings"; written with the next transition. */
void journal_warn(Journal *journal, const char *text);

/* The wall clock was set `by_us` ahead during the last of these steps: that step is taken to have
 * begun that much later, and the one before it to have lasted that much longer. */
void journal_steps_moved(json_object *steps, int64_t by_us);

/* Says how far the present state is, until the next; written at once. */
void journal_progress(Journal *journal, const char *text);

/* Its object, to be read and added to; journal_save() writes additions at once, the next transition
 * does as well. */
json_object *journal_object(Journal *journal);
int journal_save(Journal *journal, Error *err);
