/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/print.h"
#include "cli/verb.h"

enum { COLUMNS = 5 };

static const PrintColumn columns[COLUMNS] = {
	{"UNIT", PRINT_LEFT},       {"STATE", PRINT_LEFT},   {"MAIN PID", PRINT_RIGHT},
	{"PROCESSES", PRINT_RIGHT}, {"MEMORY", PRINT_RIGHT},
};

static int print_units(json_object *units)
{
	size_t n = json_length(units);
	_cleanup_free_ const char **cells = calloc(n + 1, COLUMNS * sizeof(*cells));
	_cleanup_free_ PrintText *texts = calloc(n + 1, COLUMNS * sizeof(*texts));

	if (!cells || !texts)
		return verb_fail(&(Error){.code = -ENOMEM, .text = "Out of memory"});
	for (size_t i = 0; i < n; i++) {
		json_object *unit = json_object_array_get_idx(units, i);
		const char **row = cells + i * COLUMNS;
		PrintText *text = texts + i * COLUMNS;
		int64_t pid = json_opt_int(unit, "main_pid", 0);

		text[0] = print_number(pid > 0 ? pid : -1);
		text[1] = print_number(json_opt_int(unit, "processes", -1));
		text[2] = print_bytes(json_opt_int(unit, "memory_bytes", -1));
		row[0] = json_opt_string(unit, "unit", "");
		row[1] = json_opt_string(unit, "state", "");
		row[2] = text[0].text;
		row[3] = text[1].text;
		row[4] = text[2].text;
	}
	print_table(columns, COLUMNS, cells, n);
	return STATUS_DONE;
}

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *answer = NULL;
	json_object *units;
	Error err = {0};

	if (client_call("GET", "/v1/units", NULL, &answer, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json")) {
		print_json(answer);
		return STATUS_DONE;
	}
	units = json_opt_array(answer, "units");
	if (json_length(units) == 0) {
		(void)printf("No unit is kept; segue keep UNIT keeps one\n");
		return STATUS_DONE;
	}
	return print_units(units);
}

const Verb verb_list = {
	.name = "list",
	.arguments = "",
	.summary = "List the kept units",
	.options = (const VerbOption[]){{"json", NULL, "print JSON"}, {0}},
	.run = run,
};
