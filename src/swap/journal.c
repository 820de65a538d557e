/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "swap/journal_file.h"
#include "swap/paths.h"

#define JOURNAL_FILE SEGUE_SWAP_DIR "/journal"
#define MEMORY_FILE  SEGUE_RUN_DIR "/journal"
#define DAMAGED      ".damaged"

/* Space that is given up when the disk is full: that a swap was called off for it must be told. */
#define RESERVE_FILE  SEGUE_SWAP_DIR "/reserve"
#define RESERVE_BYTES ((off_t)256 * 1024)

struct Journal {
	json_object *object;
	bool in_memory;
	bool is_copy; /* what its file held is damaged, and must not become the copy */
};

static int journal_new(json_object *object, Journal **ret, Error *err)
{
	Journal *journal = calloc(1, sizeof(*journal));

	if (!journal) {
		(void)json_object_put(object);
		return error_errno(err, -ENOMEM, "Keeping the journal");
	}
	journal->object = object;
	*ret = journal;
	return 0;
}

void journal_free(Journal *journal)
{
	if (journal)
		(void)json_object_put(journal->object);
	free(journal);
}

static int reserve_make(Error *err)
{
	_cleanup_close_ int fd = open(RESERVE_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return error_errno(err, -errno, "Making " RESERVE_FILE);
	r = -posix_fallocate(fd, 0, RESERVE_BYTES);
	return r < 0 ? error_errno(err, r, "Making " RESERVE_FILE) : 0;
}

/* Of a newer segue: what it is in the middle of is not to be forgotten. */
static int newer_refuse(Error *err)
{
	json_object *object = NULL;
	Error why = {0}, damage = {0};
	int r = path_exists(AT_FDCWD, JOURNAL_FILE)
			? journal_file_load(JOURNAL_FILE, &object, &damage, &why)
			: 0;

	(void)json_object_put(object);
	return r == -EPROTONOSUPPORT ? error_set(err, r, "%s", why.text) : 0;
}

static json_object *object_make(const char *id, const char *from, const char *to)
{
	json_object *object = json_object_new_object();

	json_put_string(object, "id", id);
	json_put_string(object, "from", from);
	json_put_string(object, "to", to);
	json_put_string(object, "error", NULL);
	(void)json_object_object_add(object, "steps", json_object_new_array());
	(void)json_object_object_add(object, "warnings", json_object_new_array());
	(void)json_object_object_add(object, "units", json_object_new_array());
	return object;
}

/* The time; of two swaps in a second the second has a number more, behind an underscore so that
 * segue log, which sorts the reports' names, has it behind the first. */
static char *id_make(void)
{
	time_t now = time(NULL);
	struct tm tm;
	char begun[32];

	(void)gmtime_r(&now, &tm);
	(void)strftime(begun, sizeof(begun), "%Y%m%d-%H%M%S", &tm);
	for (unsigned n = 1;; n++) {
		_cleanup_free_ char *id = n == 1 ? strdup(begun) : text_format("%s_%u", begun, n);
		_cleanup_free_ char *report = id ? text_format(SEGUE_LOG_DIR "/%s.json", id) : NULL;

		if (!report)
			return NULL;
		if (!path_exists(AT_FDCWD, report))
			return steal_ptr(&id);
	}
}

int journal_begin(const char *from, const char *to, Journal **ret, Error *err)
{
	_cleanup_free_ char *boot_id = NULL, *id = NULL;
	Journal *journal = NULL;
	int r = directory_make(AT_FDCWD, SEGUE_SWAP_DIR, 0700, err);

	if (r == 0)
		r = newer_refuse(err);
	if (r == 0)
		r = reserve_make(err);
	if (r < 0)
		return r;
	id = id_make();
	if (!id)
		return error_errno(err, -ENOMEM, "Beginning a swap");
	r = journal_new(object_make(id, from, to), &journal, err);
	if (r < 0)
		return r;
	(void)file_read_line(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &boot_id, NULL);
	json_put_string(journal->object, "boot_id", boot_id);
	r = journal_enter(journal, SWAP_CHECK, err);
	if (r < 0) {
		journal_free(journal);
		return r;
	}
	*ret = journal;
	return 0;
}

int journal_open(Journal **ret, Error *err)
{
	bool landing = path_exists(AT_FDCWD, MEMORY_FILE);
	json_object *object = NULL;
	_cleanup_free_ char *warning = NULL;
	Journal *journal = NULL;
	Error damage = {0};
	int r;

	if (!landing && !path_exists(AT_FDCWD, JOURNAL_FILE))
		return error_set(err, -ENOENT, "There has been no swap on this machine");
	r = journal_file_load(landing ? MEMORY_FILE : JOURNAL_FILE, &object, &damage, err);
	if (r < 0)
		return r;
	r = journal_new(object, &journal, err);
	if (r < 0)
		return r;
	*ret = journal;
	if (damage.code == 0)
		return 0;
	journal->is_copy = true;
	warning = text_format("%s; taken was what it held one transition before", damage.text);
	if (warning)
		journal_warn(journal, warning);
	return 0;
}

bool journal_is_damaged(void)
{
	_cleanup_journal_ Journal *journal = NULL;

	return journal_open(&journal, NULL) == -EBADMSG;
}

int journal_replace(const char *id, Journal **ret, Error *err)
{
	static const char warning[] = "the journal of this swap was damaged, and so was its copy; "
				      "it is kept as " JOURNAL_FILE DAMAGED;
	int r = journal_new(object_make(id, "", ""), ret, err);

	if (r < 0)
		return r;
	journal_warn(*ret, warning);
	(void)rename(JOURNAL_FILE, JOURNAL_FILE DAMAGED);
	(void)unlink(JOURNAL_FILE JOURNAL_COPY);
	(void)unlink(MEMORY_FILE);
	(void)unlink(MEMORY_FILE JOURNAL_COPY);
	return 0;
}

SwapState journal_state(const Journal *journal)
{
	return (SwapState)swap_state_by_name(json_opt_string(journal->object, "state", "failed"));
}

json_object *journal_object(Journal *journal)
{
	return journal->object;
}

int journal_to_memory(Journal *journal, Error *err)
{
	journal->in_memory = true;
	return directory_make(AT_FDCWD, SEGUE_RUN_DIR, 0755, err);
}

void journal_to_disk(Journal *journal)
{
	journal->in_memory = false;
}

static int journal_write(Journal *journal, const char *path, Error *err)
{
	int r = journal_file_save(path, journal->object, !journal->is_copy, err);

	if (r == 0)
		journal->is_copy = false;
	return r;
}

static int disk_save(Journal *journal, Error *err)
{
	int r = journal_write(journal, JOURNAL_FILE, err);

	if (r == 0)
		(void)unlink(MEMORY_FILE);
	return r;
}

int journal_save(Journal *journal, Error *err)
{
	Error full = {0};
	int r;

	if (journal->in_memory)
		return journal_write(journal, MEMORY_FILE, err);
	r = disk_save(journal, &full);

	/* Only what ends a swap may use the reserve: a swap does not go on with a full disk. */
	if (r == -ENOSPC && !json_opt_bool(journal->object, "running", true) &&
	    unlink(RESERVE_FILE) == 0)
		return disk_save(journal, err);
	return r < 0 ? error_set(err, r, "%s", full.text) : 0;
}

static void step_close(json_object *steps, int64_t now_us)
{
	size_t n = json_length(steps);
	json_object *last = n ? json_object_array_get_idx(steps, n - 1) : NULL;

	if (last && !json_object_object_get_ex(last, "duration_us", NULL))
		json_put_int(last, "duration_us", now_us - json_opt_int(last, "at_us", now_us));
}

void journal_steps_moved(json_object *steps, int64_t by_us)
{
	size_t n = json_length(steps);
	json_object *last = n > 0 ? json_object_array_get_idx(steps, n - 1) : NULL;
	json_object *before = n > 1 ? json_object_array_get_idx(steps, n - 2) : NULL;

	if (last)
		json_put_int(last, "at_us", json_opt_int(last, "at_us", 0) + by_us);
	if (before && json_object_object_get_ex(before, "duration_us", NULL))
		json_put_int(before, "duration_us", json_opt_int(before, "duration_us", 0) + by_us);
}

/* The fault point of the transition into a state. */
static int transition_visit(const Journal *journal, SwapState state, Error *err)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "journal-%s", swap_states[state].name);
	fault_file(name, AT_FDCWD, journal->in_memory ? MEMORY_FILE : JOURNAL_FILE);
	return fault_point(name, err);
}

int journal_enter(Journal *journal, SwapState state, Error *err)
{
	json_object *steps = json_opt_array(journal->object, "steps"), *step;
	int64_t now = clock_realtime_us();
	int r;

	step_close(steps, now);
	if (!swap_states[state].end) {
		step = json_object_new_object();
		json_put_string(step, "step", swap_states[state].name);
		json_put_int(step, "at_us", now);
		(void)json_object_array_add(steps, step);
	}
	json_put_string(journal->object, "state", swap_states[state].name);
	json_put_string(journal->object, "message", swap_states[state].doing);
	json_put_bool(journal->object, "running", !swap_states[state].end);
	r = journal_save(journal, err);
	return r < 0 ? r : transition_visit(journal, state, err);
}

int journal_end(Journal *journal, SwapState state, const Error *why, Error *err)
{
	if (why && why->code < 0)
		json_put_string(journal->object, "error", why->text);
	return journal_enter(journal, state, err);
}

void journal_progress(Journal *journal, const char *text)
{
	json_put_string(journal->object, "message", text);
	(void)journal_save(journal, NULL);
}

void journal_warn(Journal *journal, const char *text)
{
	(void)json_object_array_add(json_opt_array(journal->object, "warnings"),
				    json_object_new_string(text));
}
