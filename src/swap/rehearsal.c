/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/rehearsal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "swap/findings.h"
#include "swap/hook.h"
#include "swap/kept_units.h"
#include "swap/paths.h"

#define PROGRESS_FILE SEGUE_RUN_DIR "/check"

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

void rehearsal_mind_signals(void)
{
	const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	(void)sigaction(SIGTERM, &action, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
}

bool rehearsal_goes_on(void)
{
	return !interrupted;
}

/* ---- progress ---- */

void rehearsal_tell(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)file_write_atomic(AT_FDCWD, PROGRESS_FILE, text, strlen(text), 0600, NULL);
}

char *rehearsal_told(void)
{
	char *text = NULL;

	return file_read_line(AT_FDCWD, PROGRESS_FILE, &text, NULL) < 0 ? NULL : text;
}

/* ---- the whole ---- */

int rehearsal_run(Plan *plan, Error *err)
{
	int r = directory_make(AT_FDCWD, SEGUE_TRIAL_DIR, 0700, err);

	if (r < 0)
		return r;
	plan->rehearsal = json_object_new_object();
	r = rehearsal_capture(plan, err);
	if (r == 0 && !rehearsal_goes_on())
		r = error_set(err, -EINTR, "The rehearsal was interrupted");
	if (r == 0)
		r = rehearsal_boot(plan, err);
	(void)unlink(PROGRESS_FILE);
	/* What could not be undone here is there for whoever comes next. */
	if (r == 0)
		r = directory_remove(AT_FDCWD, SEGUE_TRIAL_DIR, err);
	else
		rehearsal_undo();
	return r;
}

/* ---- one that was killed ---- */

static bool is_this_boot(json_object *record)
{
	_cleanup_free_ char *now = NULL;

	return file_read_line(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &now, NULL) == 0 &&
	       strcmp(json_opt_string(record, "boot_id", ""), now) == 0;
}

static void record_undo(json_object *record)
{
	_cleanup_config_ Config config = {0};
	json_object *location = NULL;
	const Store *store = NULL;

	if (is_this_boot(record))
		(void)hook_run(json_opt_string(record, "unit", ""),
			       "PostThaw=", json_opt_string(record, "post_thaw", NULL),
			       HOOK_LIMIT_MS, NULL);
	if (json_get_object(record, "store", &location, NULL) == 0)
		store = store_by_name(json_opt_string(location, "kind", ""));
	if (!store)
		return;
	(void)store->wipe(location, NULL);
	if (config_read(CONFIG_PATH, &config, NULL) == 0)
		(void)store_rest(&config, NULL);
}

void rehearsal_undo(void)
{
	_cleanup_json_ json_object *record = NULL;

	(void)unlink(PROGRESS_FILE);
	if (!path_exists(AT_FDCWD, SEGUE_TRIAL_DIR))
		return;
	kept_units_thaw();
	if (json_read(AT_FDCWD, REHEARSAL_RECORD, &record, NULL) == 0)
		record_undo(record);
	(void)directory_remove(AT_FDCWD, SEGUE_TRIAL_DIR, NULL);
}
