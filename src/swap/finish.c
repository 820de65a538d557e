/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a swap, run by segued in the boot after the jump: adopt and confirm.  Also what is
 * done when segued finds a swap that nobody works on any more. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "store/store.h"
#include "swap/adopt.h"
#include "swap/bootdefault.h"
#include "swap/hold.h"
#include "swap/hook.h"
#include "swap/hurry.h"
#include "swap/journal.h"
#include "swap/kept_units.h"
#include "swap/lazy.h"
#include "swap/mounts.h"
#include "swap/paths.h"
#include "swap/pending.h"
#include "swap/quiesce.h"
#include "swap/rehearsal.h"
#include "swap/report.h"
#include "swap/rest.h"
#include "swap/settle.h"
#include "swap/stage.h"
#include "swap/swap.h"
#include "swap/tasks.h"

/* Of adopting: systemd answers each call in two minutes, or not at all.  Who is killed by it is
 * followed by another that does the same again (api_finish_swap()). */
#define ADOPT_LIMIT_S    900
#define HEALTH_TIMEOUT_S 30 /* where a damaged journal does not tell */
#define HEALTH_PERIOD_NS 500000000L
#define MEMORY_PERIOD_NS 500000000L

/* One that has ended and that nobody has waited for yet still has its name. */
static bool worker_is_alive(json_object *journal)
{
	pid_t pid = (pid_t)json_opt_int(journal, "worker_pid", 0);
	_cleanup_free_ char *name = pid > 1 ? task_field(pid, "status", "Name") : NULL;
	_cleanup_free_ char *state = pid > 1 ? task_field(pid, "status", "State") : NULL;

	return name && state && text_has_prefix(name, "segued") && *state != 'Z' && *state != 'X';
}

bool swap_unfinished(void)
{
	_cleanup_journal_ Journal *journal = NULL;

	return journal_open(&journal, NULL) == 0 && !swap_states[journal_state(journal)].end &&
	       (swap_states[journal_state(journal)].landed ||
		!worker_is_alive(journal_object(journal)));
}

/* ---- health ---- */

static int health_wait(json_object *unit, int64_t deadline_us, Error *err)
{
	const struct timespec pause = {.tv_nsec = HEALTH_PERIOD_NS};

	for (;;) {
		int64_t left_us = deadline_us - clock_monotonic_us();
		int r = hook_run(json_opt_string(unit, "unit", ""),
				 "HealthCheck=", json_opt_string(unit, "health_check", NULL),
				 left_us > 1000000 ? (int)(left_us / 1000) : 1000, err);

		if (r == 0 || left_us <= HEALTH_PERIOD_NS / 1000)
			return r;
		(void)nanosleep(&pause, NULL);
	}
}

/* Each unit has the time that was configured when the swap began, and each is looked at, whatever
 * another says. */
static int units_confirm(json_object *journal, json_object *units, Error *err)
{
	int64_t timeout_s = json_opt_int(journal, "health_timeout_s", HEALTH_TIMEOUT_S);
	int r = 0;

	for (size_t i = 0; i < json_length(units); i++) {
		int64_t deadline_us = clock_monotonic_us() + timeout_s * 1000000;
		Error why = {0};

		if (health_wait(json_object_array_get_idx(units, i), deadline_us, &why) < 0 &&
		    r == 0)
			r = error_set(err, why.code, "%s", why.text);
	}
	return r;
}

/* PostThaw= of every unit; the first failure is told. */
static int units_thawed(json_object *units, Error *err)
{
	int r = 0;

	for (size_t i = 0; i < json_length(units); i++) {
		json_object *unit = json_object_array_get_idx(units, i);
		Error why = {0};

		if (hook_run(json_opt_string(unit, "unit", ""), "PostThaw=",
			     json_opt_string(unit, "post_thaw", NULL), HOOK_LIMIT_MS, &why) < 0 &&
		    r == 0)
			r = error_set(err, why.code, "%s", why.text);
	}
	return r;
}

/* ---- memory ---- */

/* Until all memory of all programs has come: before, the captures must not be wiped. */
static int memory_wait(Journal *journal, json_object *units, Error *err)
{
	const struct timespec pause = {.tv_nsec = MEMORY_PERIOD_NS};
	int64_t bytes;
	int r = 0;

	while (lazy_arrives(&bytes)) {
		_cleanup_free_ char *text = text_format("%lld MiB of memory are still to come",
							(long long)(bytes >> 20));

		if (text && bytes > 0)
			journal_progress(journal, text);
		(void)nanosleep(&pause, NULL);
	}
	for (size_t i = 0; i < json_length(units); i++) {
		json_object *unit = json_object_array_get_idx(units, i);

		if (!lazy_lost(json_opt_string(unit, "cgroup", "")))
			continue;
		json_put_string(unit, "outcome", "lost");
		r = error_set(err, -EIO,
			      "%s: the process that brought its memory was killed, and it with it; "
			      "systemd starts it afresh if its Restart= says so",
			      json_opt_string(unit, "unit", ""));
	}
	return r;
}

/* ---- the end of a swap that went well so far ---- */

static int captures_wipe(json_object *journal, Error *err)
{
	json_object *location;
	const Store *store;
	int r = json_get_object(journal, "store", &location, err);

	if (r < 0)
		return r;
	store = store_by_name(json_opt_string(location, "kind", ""));
	return store ? store->wipe(location, err)
		     : error_set(err, -EBADMSG, "The journal names no store");
}

static bool all_carried(json_object *units)
{
	for (size_t i = 0; i < json_length(units); i++)
		if (strcmp(json_opt_string(json_object_array_get_idx(units, i), "outcome", ""),
			   "carried") != 0)
			return false;
	return true;
}

/* A capture is needed no more when its program runs; of one that does not, it is all there is. */
static void captures_settle(Journal *journal, json_object *units)
{
	Error why = {0};

	if (!all_carried(units))
		journal_warn(journal, "the captures are kept until the next swap, since not every "
				      "unit could be taken over");
	else if (captures_wipe(journal_object(journal), &why) < 0)
		journal_warn(journal, why.text);
	else
		captures_rest(journal);
}

static int landed_finish(Journal *journal, Error *err)
{
	json_object *o = journal_object(journal), *units = json_opt_array(o, "units");
	bool returned = strcmp(json_opt_string(o, "direction", "forward"), "return") == 0;
	Error why = {0}, hook = {0}, memory = {0};
	int r;

	(void)alarm(ADOPT_LIMIT_S);
	(void)fault_point("adopt", NULL);
	/* A journal that cannot be written is no reason to leave the programs to nobody. */
	if (journal_state(journal) != SWAP_ADOPT && journal_enter(journal, SWAP_ADOPT, &why) < 0) {
		journal_warn(journal, why.text);
		why = (Error){0};
	}
	r = adopt_finish(units, &why);
	if (units_thawed(units, &hook) < 0 && r == 0)
		r = error_set(&why, hook.code, "%s", hook.text);
	if (r == 0)
		r = journal_enter(journal, SWAP_CONFIRM, &why);
	(void)alarm(0);
	if (r == 0)
		r = fault_point("confirm", &why);
	if (r == 0)
		r = units_confirm(o, units, &why);
	if (r == 0 && !returned && bootdefault_set(json_opt_string(o, "to", ""), &why) < 0) {
		/* The swap is good all the same; only the next cold boot would take another kernel.
		 */
		journal_warn(journal, why.text);
		why = (Error){0};
	}
	if (memory_wait(journal, units, &memory) < 0 && r == 0)
		r = error_set(&why, memory.code, "%s", memory.text);
	captures_settle(journal, units);
	stage_undo();
	if (r < 0)
		return journal_end(journal, SWAP_FAILED, &why, err);
	if (returned)
		why = (Error){.code = -EIO};
	if (returned)
		(void)snprintf(
			why.text, sizeof(why.text), "%s",
			json_opt_string(o, "reason", "the new kernel could not take the programs"));
	return journal_end(journal, returned ? SWAP_RETURNED : SWAP_DONE, &why, err);
}

/* ---- swaps that were left alone ---- */

/* A jump that was begun has left them frozen, and nothing can be written before they thaw. */
static void mounts_thaw(void)
{
	_cleanup_(mounts_free) MountTable mounts = {0};

	if (mounts_read(0, &mounts, NULL) == 0)
		filesystems_thaw(&mounts);
}

static void programs_release(void)
{
	(void)pending_mark(PENDING_FILE, PENDING_ENDED, NULL);
	kept_units_thaw();
	(void)hold_lower(NULL);
	(void)hurry(false);
}

/* segued's worker died under the old kernel: as calling off.  The journal may be the copy of the
 * one before (journal.h), so what the next state does is undone too. */
static int abandoned_undo(Journal *journal, Error *err)
{
	json_object *o = journal_object(journal), *units = json_opt_array(o, "units");
	SwapState state = journal_state(journal);
	Error why = {0};

	(void)error_set(&why, -EIO,
			"The process that worked on it was killed in the step %s, or took longer "
			"than that may take",
			swap_states[state].name);
	(void)fault_point("undo-abandoned", NULL);
	if (state >= SWAP_CAPTURE)
		mounts_thaw();
	programs_release();
	if (state >= SWAP_FREEZE)
		(void)units_thawed(units, NULL);
	if (state >= SWAP_WARM)
		settle_undo(json_opt_array(o, "stopped"));
	/* It is there from before the first thing that is done to it. */
	if (json_object_object_get_ex(o, "store", NULL)) {
		(void)captures_wipe(o, NULL);
		captures_rest(journal);
	}
	stage_undo();
	return journal_end(journal, SWAP_CALLED_OFF, &why, err);
}

/* Nobody can tell how far it was: programs that stand still go on, what was stopped is started, and
 * the captures are left alone. */
static int damaged_undo(Error *err)
{
	const Error why = {.code = -EBADMSG,
			   .text = "the journal was damaged, so that nobody can tell how far the "
				   "swap was; all kept units were thawed, and see segue list"};
	_cleanup_journal_ Journal *journal = NULL;
	int r;

	mounts_thaw();
	programs_release();
	settle_undo(NULL);
	stage_undo();
	r = journal_replace("unknown", &journal, err);
	if (r == 0)
		r = journal_end(journal, SWAP_FAILED, &why, err);
	return r < 0 ? r : report_write(journal_object(journal), err);
}

/* Why a machine with whole captures came up without its programs. */
static void cold_explain(json_object *journal, Error *ret_why)
{
	static const char remains[] = "units were started afresh, and the captures are still in "
				      "the store";
	const char *reason = json_opt_string(journal, "reason", NULL);
	PendingState state = pending_read(PENDING_FILE, NULL);

	if (reason)
		(void)error_set(ret_why, -EIO, "The programs could not be restored: %s; %s", reason,
				remains);
	else if (state == PENDING_TRIED)
		(void)error_set(ret_why, -EIO,
				"The machine went down in the swap, and again while the programs "
				"were to be restored; %s",
				remains);
	else if (state == PENDING_ENDED)
		(void)error_set(ret_why, -EIO,
				"The machine went down after the programs had run on, so that "
				"their captures are of the past; %s",
				remains);
	else
		(void)error_set(ret_why, -EIO,
				"The machine came up without its programs after the jump; %s",
				remains);
}

/* The machine went down before the jump, or the jump led to a cold boot: it came up without
 * segue-init, or segue-init could do nothing.  Captures that are not whole are of no use to
 * anybody. */
static int cold_boot_report(Journal *journal, Error *err)
{
	json_object *o = journal_object(journal), *units = json_opt_array(o, "units");
	SwapState state = journal_state(journal);
	Error why = {0};

	if (state >= SWAP_JUMP) {
		cold_explain(o, &why);
	} else {
		(void)error_set(&why, -EIO,
				"The machine went down in the step %s; units were started afresh",
				swap_states[state].name);
		if (json_object_object_get_ex(o, "store", NULL))
			(void)captures_wipe(o, NULL);
	}
	stage_undo();
	for (size_t i = 0; i < json_length(units); i++)
		json_put_string(json_object_array_get_idx(units, i), "outcome", "cold");
	return journal_end(journal, SWAP_FAILED, &why, err);
}

static bool is_this_boot(json_object *journal, const char *member)
{
	_cleanup_free_ char *now = NULL;

	return file_read_line(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &now, NULL) == 0 &&
	       strcmp(json_opt_string(journal, member, ""), now) == 0;
}

bool swap_left_behind(void)
{
	return swap_unfinished() || journal_is_damaged() || path_exists(AT_FDCWD, SEGUE_TRIAL_DIR);
}

int swap_finish(Error *err)
{
	_cleanup_journal_ Journal *journal = NULL;
	int r;

	rehearsal_undo();
	if (journal_is_damaged())
		return damaged_undo(err);
	if (!swap_unfinished())
		return 0;
	r = journal_open(&journal, err);
	if (r < 0)
		return r;
	/* Whatever was to come after the jump, only the boot that segue-init led to has the
	 * programs. */
	if (is_this_boot(journal_object(journal), "boot_id"))
		r = abandoned_undo(journal, err);
	else if (swap_states[journal_state(journal)].landed &&
		 is_this_boot(journal_object(journal), "landed_boot_id"))
		r = landed_finish(journal, err);
	else
		r = cold_boot_report(journal, err);
	return r < 0 ? r : report_write(journal_object(journal), err);
}

int swap_return(Error *err)
{
	_cleanup_journal_ Journal *journal = NULL;
	SwapRequest request = {.no_trial = true, .allow_one_way = true};
	int r = journal_open(&journal, err);

	if (r < 0)
		return r;
	if (journal_state(journal) != SWAP_DONE && journal_state(journal) != SWAP_FAILED)
		return error_set(
			err, -ENOENT,
			"The last swap did not leave its kernel; there is nothing to return from");
	request.kernel = json_opt_string(journal_object(journal), "from", "");
	return swap_run(&request, err);
}
