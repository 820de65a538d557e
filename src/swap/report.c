/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "swap/journal.h"
#include "swap/paths.h"
#include "swap/swap.h"

#define LOG_MAX 1000 /* reports that are kept */

json_object *report_make(json_object *journal)
{
	static const char *const members[] = {"id",       "from",       "to",         "state",
					      "running",  "message",    "error",      "steps",
					      "warnings", "warm_bytes", "lazy_bytes", "frozen_us"};
	json_object *o = json_object_new_object(), *units = json_object_new_array(), *value;
	json_object *list = json_opt_array(journal, "units");

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (json_object_object_get_ex(journal, members[i], &value))
			(void)json_object_object_add(o, members[i], json_object_get(value));
	for (size_t i = 0; i < json_length(list); i++) {
		json_object *from = json_object_array_get_idx(list, i),
			    *u = json_object_new_object();

		json_put_string(u, "unit", json_opt_string(from, "unit", ""));
		json_put_string(u, "outcome", json_opt_string(from, "outcome", NULL));
		json_put_int(u, "main_pid", json_opt_int(from, "main_pid", 0));
		(void)json_object_array_add(units, u);
	}
	(void)json_object_object_add(o, "units", units);
	(void)json_object_object_add(
		o, "blackout_s",
		json_object_object_get_ex(journal, "blackout_us", NULL)
			? json_object_new_double((double)json_opt_int(journal, "blackout_us", 0) /
						 1e6)
			: NULL);
	return o;
}

int report_write(json_object *journal, Error *err)
{
	_cleanup_json_ json_object *report = report_make(journal);
	_cleanup_free_ char *path =
		text_format(SEGUE_LOG_DIR "/%s.json", json_opt_string(journal, "id", "unknown"));
	int r = directory_make(AT_FDCWD, SEGUE_LOG_DIR, 0700, err);

	if (r == 0 && !path)
		r = error_errno(err, -ENOMEM, "Writing the report");
	return r < 0 ? r : json_write(AT_FDCWD, path, report, err);
}

int swap_status(json_object **ret_status, Error *err)
{
	_cleanup_journal_ Journal *journal = NULL;
	Error why = {0};
	int r = journal_open(&journal, &why);

	if (r == -ENOENT) {
		*ret_status = NULL;
		return 0;
	}
	if (r < 0)
		return error_set(err, r, "%s", why.text);
	*ret_status = report_make(journal_object(journal));
	return 0;
}

static int is_report(const struct dirent *entry)
{
	return text_has_suffix(entry->d_name, ".json");
}

int swap_log(json_object **ret_array, Error *err)
{
	json_object *list = json_object_new_array();
	struct dirent **entries = NULL;
	int n = scandir(SEGUE_LOG_DIR, &entries, is_report, alphasort);

	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = text_format(SEGUE_LOG_DIR "/%s", entries[i]->d_name);
		json_object *report;

		/* A damaged report is no reason not to show the others. */
		if (path && i >= n - LOG_MAX && json_read(AT_FDCWD, path, &report, NULL) == 0)
			(void)json_object_array_add(list, report);
		free(entries[i]);
	}
	free(entries);
	if (n < 0 && errno != ENOENT) {
		(void)json_object_put(list);
		return error_errno(err, -errno, "Reading " SEGUE_LOG_DIR);
	}
	*ret_array = list;
	return 0;
}
