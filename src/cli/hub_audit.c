/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/hub.h"
#include "cli/owner.h"
#include "cli/print.h"

enum { COLUMNS = 4 };

static const PrintColumn columns[COLUMNS] = {
	{"WHEN", PRINT_LEFT},
	{"WHO", PRINT_LEFT},
	{"WHAT", PRINT_LEFT},
	{"REFUSED", PRINT_LEFT},
};

/* What the cells point to beside the answer itself. */
typedef struct Row {
	OwnerTime at;
	char what[256];
} Row;

static int entries_print(json_object *entries)
{
	size_t n = json_length(entries);
	_cleanup_free_ const char **cells = calloc(n + 1, COLUMNS * sizeof(*cells));
	_cleanup_free_ Row *rows = calloc(n + 1, sizeof(*rows));

	if (!cells || !rows)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		json_object *entry = json_object_array_get_idx(entries, i);
		const char **cell = cells + COLUMNS * i;

		rows[i].at = owner_time(json_opt_int(entry, "at_s", 0));
		(void)snprintf(rows[i].what, sizeof(rows[i].what), "%s %s",
			       json_opt_string(entry, "method", ""),
			       json_opt_string(entry, "path", ""));
		cell[0] = rows[i].at.text;
		cell[1] = json_opt_string(entry, "who", "");
		cell[2] = rows[i].what;
		cell[3] = json_opt_string(entry, "refused", "");
	}
	print_table(columns, COLUMNS, cells, n);
	return 0;
}

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *answer = NULL;
	json_object *entries;
	Error err = {0};

	if (hub_ask(arguments, "GET", "/v1/audit", NULL, &answer, &err) < 0)
		return verb_fail(&err);
	entries = json_opt_array(answer, "entries");
	if (verb_option(arguments, "json"))
		print_json(entries);
	else if (entries_print(entries) < 0)
		return verb_fail(&(Error){-ENOMEM, "Listing: out of memory"});
	return STATUS_DONE;
}

const Verb verb_hub_audit = {
	.name = "hub audit",
	.arguments = "",
	.summary = "Show who has commanded what, the latest first",
	.options = (const VerbOption[]){HUB_OPTION_SOCKET, {"json", NULL, "print JSON"}, {0}},
	.run = run,
};
