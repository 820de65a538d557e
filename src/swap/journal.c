/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "swap/paths.h"

#define JOURNAL_FILE SEGUE_SWAP_DIR "/journal.json"
#define MEMORY_FILE  SEGUE_RUN_DIR "/journal.json"

/* Space that is given up when the disk is full: that a swap was called off for it must be told. */
#define RESERVE_FILE  SEGUE_SWAP_DIR "/reserve"
#define RESERVE_BYTES ((off_t)256 * 1024)

struct Journal {
	json_object *object;
	bool in_memory;
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

int journal_begin(const char *from, const char *to, Journal **ret, Error *err)
{
	json_object *object = json_object_new_object();
	time_t now = time(NULL);
	struct tm tm;
	_cleanup_free_ char *boot_id = NULL;
	char id[32];
	Journal *journal = NULL;
	int r = directory_make(AT_FDCWD, SEGUE_SWAP_DIR, 0700, err);

	if (r == 0)
		r = reserve_make(err);
	if (r < 0)
		return r;
	(void)gmtime_r(&now, &tm);
	(void)strftime(id, sizeof(id), "%Y%m%d-%H%M%S", &tm);
	json_put_string(object, "id", id);
	(void)file_read_line(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &boot_id, NULL);
	json_put_string(object, "boot_id", boot_id);
	json_put_string(object, "from", from);
	json_put_string(object, "to", to);
	json_put_string(object, "error", NULL);
	(void)json_object_object_add(object, "steps", json_object_new_array());
	(void)json_object_object_add(object, "warnings", json_object_new_array());
	(void)json_object_object_add(object, "units", json_object_new_array());
	r = journal_new(object, &journal, err);
	if (r == 0)
		r = journal_enter(journal, SWAP_CHECK, err);
	if (r < 0) {
		journal_free(journal);
		return r;
	}
	*ret = journal;
	return 0;
}

/* A file that was damaged must not bring down who goes on with it: segue-init is PID 1. */
static int lists_check(json_object *object, Error *err)
{
	static const struct {
		const char *key;
		json_type type;
	} lists[] = {
		{"steps", json_type_object},
		{"warnings", json_type_string},
		{"units", json_type_object},
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		json_object *list;
		int r = json_get_array(object, lists[i].key, &list, err);

		if (r < 0)
			return r;
		for (size_t j = 0; j < json_length(list); j++)
			if (!json_object_is_type(json_object_array_get_idx(list, j), lists[i].type))
				return error_set(err, -EBADMSG, "\"%s\" holds what is no %s",
						 lists[i].key, json_type_to_name(lists[i].type));
	}
	return 0;
}

int journal_open(Journal **ret, Error *err)
{
	bool landing = path_exists(AT_FDCWD, MEMORY_FILE);
	json_object *object;
	int r;

	if (!landing && !path_exists(AT_FDCWD, JOURNAL_FILE))
		return error_set(err, -ENOENT, "There has been no swap on this machine");
	r = json_read(AT_FDCWD, landing ? MEMORY_FILE : JOURNAL_FILE, &object, err);
	if (r < 0)
		return r;
	if (swap_state_by_name(json_opt_string(object, "state", "")) < 0)
		r = error_set(err, -EBADMSG, "it names no state");
	else
		r = lists_check(object, err);
	if (r < 0) {
		(void)json_object_put(object);
		(void)error_prefix(err, "%s", landing ? MEMORY_FILE : JOURNAL_FILE);
		return r;
	}
	return journal_new(object, ret, err);
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

static int file_save(const Journal *journal, Error *err)
{
	int r = json_write(AT_FDCWD, JOURNAL_FILE, journal->object, err);

	if (r == 0)
		(void)unlink(MEMORY_FILE);
	return r;
}

int journal_save(Journal *journal, Error *err)
{
	Error full = {0};
	int r;

	if (journal->in_memory)
		return json_write(AT_FDCWD, MEMORY_FILE, journal->object, err);
	r = json_write(AT_FDCWD, JOURNAL_FILE, journal->object, &full);
	if (r == 0)
		(void)unlink(MEMORY_FILE);

	/* Only what ends a swap may use the reserve: a swap does not go on with a full disk. */
	if (r == -ENOSPC && !json_opt_bool(journal->object, "running", true) &&
	    unlink(RESERVE_FILE) == 0)
		return file_save(journal, err);
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

int journal_enter(Journal *journal, SwapState state, Error *err)
{
	json_object *steps = json_opt_array(journal->object, "steps"), *step;
	int64_t now = clock_realtime_us();

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
	return journal_save(journal, err);
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
