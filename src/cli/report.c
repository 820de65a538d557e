/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/print.h"

#define COLUMNS_OF(array) (sizeof(array) / sizeof(*(array)))

/* Fills one row of `cells`; texts that it makes go to `texts`, as many as there are cells. */
typedef void ReportRow(json_object *item, const char **cells, PrintText *texts);

static void report_rows(json_object *items, const PrintColumn *columns, size_t n_columns,
			ReportRow *row)
{
	size_t n = json_length(items);
	_cleanup_free_ const char **cells = calloc(n + 1, n_columns * sizeof(*cells));
	_cleanup_free_ PrintText *texts = calloc(n + 1, n_columns * sizeof(*texts));

	if (n == 0 || !cells || !texts)
		return;
	for (size_t i = 0; i < n; i++)
		row(json_object_array_get_idx(items, i), cells + i * n_columns,
		    texts + i * n_columns);
	print_table(columns, n_columns, cells, n);
	(void)printf("\n");
}

static int64_t seconds_as_us(json_object *o, const char *key)
{
	json_object *value;

	if (!json_object_object_get_ex(o, key, &value) || !value)
		return -1;
	return (int64_t)(json_object_get_double(value) * 1e6);
}

static const PrintColumn check_columns[] = {
	{"UNIT", PRINT_LEFT},     {"CARRIED", PRINT_LEFT},  {"PROCESSES", PRINT_RIGHT},
	{"MEMORY", PRINT_RIGHT},  {"CAPTURE", PRINT_RIGHT}, /* from here on of a rehearsal */
	{"STOPPED", PRINT_RIGHT},
};

#define CHECK_COLUMNS 4

static void check_row(json_object *unit, const char **cells, PrintText *texts)
{
	texts[0] = print_number(json_opt_int(unit, "pids", -1));
	texts[1] = print_bytes(json_opt_int(unit, "memory_bytes", -1));
	cells[0] = json_opt_string(unit, "unit", "");
	cells[1] = json_opt_bool(unit, "carried", false) ? "yes" : "no";
	cells[2] = texts[0].text;
	cells[3] = texts[1].text;
}

static void rehearsed_row(json_object *unit, const char **cells, PrintText *texts)
{
	check_row(unit, cells, texts);
	texts[2] = print_bytes(json_opt_int(unit, "capture_bytes", -1));
	texts[3] = print_duration(json_opt_int(unit, "freeze_us", -1));
	cells[4] = texts[2].text;
	cells[5] = texts[3].text;
}

static bool is_rehearsed(json_object *units)
{
	for (size_t i = 0; i < json_length(units); i++)
		if (json_opt_int(json_object_array_get_idx(units, i), "freeze_us", -1) >= 0)
			return true;
	return false;
}

static bool all_steps_ok(json_object *steps)
{
	for (size_t i = 0; i < json_length(steps); i++)
		if (!json_opt_bool(json_object_array_get_idx(steps, i), "ok", false))
			return false;
	return true;
}

/* What went wrong there is among the findings. */
static void print_boot(json_object *result)
{
	json_object *boot = NULL;

	if (json_get_object(result, "boot", &boot, NULL) < 0 ||
	    !json_opt_bool(boot, "done", false) || !all_steps_ok(json_opt_array(boot, "steps")))
		return;
	(void)printf("%s booted in a guest (%s) in %s: segue-init began, and criu's checks pass\n",
		     json_opt_string(result, "to", "?"), json_opt_string(boot, "accelerator", "?"),
		     print_duration(json_opt_int(boot, "duration_us", -1)).text);
}

static void print_findings(json_object *findings)
{
	for (size_t i = 0; i < json_length(findings); i++) {
		json_object *finding = json_object_array_get_idx(findings, i);
		const char *remedy = json_opt_string(finding, "remedy", NULL);

		(void)printf("%s: %s, %s: %s%s%s\n", json_opt_string(finding, "severity", "note"),
			     json_opt_string(finding, "subject", ""),
			     json_opt_string(finding, "resource", ""),
			     json_opt_string(finding, "message", ""), remedy ? "; " : "",
			     remedy ? remedy : "");
	}
}

void report_check(json_object *result, int dry_run)
{
	json_object *store = NULL, *units = json_opt_array(result, "units");

	(void)printf("Kernel: %s -> %s\n", json_opt_string(result, "from", "?"),
		     json_opt_string(result, "to", "?"));
	if (json_get_object(result, "store", &store, NULL) >= 0)
		(void)printf("Store: %s, needs %s of %s\n", json_opt_string(store, "kind", "?"),
			     print_bytes(json_opt_int(store, "need_bytes", -1)).text,
			     print_bytes(json_opt_int(store, "free_bytes", -1)).text);
	(void)printf("\n");
	if (is_rehearsed(units))
		report_rows(units, check_columns, COLUMNS_OF(check_columns), rehearsed_row);
	else
		report_rows(units, check_columns, CHECK_COLUMNS, check_row);
	print_boot(result);
	print_findings(json_opt_array(result, "findings"));
	if (!json_opt_bool(result, "ok", false))
		(void)printf("A swap would be refused\n");
	else if (dry_run)
		(void)printf("A swap would go ahead; every other unit would be stopped and started "
			     "again\n");
	else
		(void)printf("Nothing stands in the way of a swap\n");
}

static const PrintColumn unit_columns[] = {
	{"UNIT", PRINT_LEFT},
	{"OUTCOME", PRINT_LEFT},
	{"MAIN PID", PRINT_RIGHT},
};

static void unit_row(json_object *unit, const char **cells, PrintText *texts)
{
	int64_t pid = json_opt_int(unit, "main_pid", 0);

	texts[0] = print_number(pid > 0 ? pid : -1);
	cells[0] = json_opt_string(unit, "unit", "");
	cells[1] = json_opt_string(unit, "outcome", "");
	cells[2] = texts[0].text;
}

static const PrintColumn step_columns[] = {
	{"STEP", PRINT_LEFT},
	{"TIME", PRINT_RIGHT},
};

static void step_row(json_object *step, const char **cells, PrintText *texts)
{
	texts[0] = print_duration(json_opt_int(step, "duration_us", -1));
	cells[0] = json_opt_string(step, "step", "");
	cells[1] = texts[0].text;
}

static void report_warm(json_object *rounds)
{
	for (size_t i = 0; i < json_length(rounds); i++)
		(void)printf(
			"%s%lld", i ? ", " : "\nCopied while the programs ran, in rounds: ",
			(long long)(json_object_get_int64(json_object_array_get_idx(rounds, i)) >>
				    20));
	if (json_length(rounds) > 0)
		(void)printf(" MiB\n");
}

static void print_swap(json_object *status)
{
	int64_t blackout = seconds_as_us(status, "blackout_s");
	json_object *warnings = json_opt_array(status, "warnings");

	(void)printf("\nSwap %s: %s\nKernel: %s -> %s\n", json_opt_string(status, "id", "?"),
		     json_opt_string(status, "state", "?"), json_opt_string(status, "from", "?"),
		     json_opt_string(status, "to", "?"));
	if (blackout >= 0)
		(void)printf("Blackout: %s\n", print_duration(blackout).text);
	(void)printf("\n");
	report_rows(json_opt_array(status, "units"), unit_columns, COLUMNS_OF(unit_columns),
		    unit_row);
	report_rows(json_opt_array(status, "steps"), step_columns, COLUMNS_OF(step_columns),
		    step_row);
	report_warm(json_opt_array(status, "warm_bytes"));
	if (json_opt_int(status, "lazy_bytes", 0) > 0)
		(void)printf("Came after they ran again: %lld MiB\n",
			     (long long)(json_opt_int(status, "lazy_bytes", 0) >> 20));
	for (size_t i = 0; i < json_length(warnings); i++)
		(void)printf("warning: %s\n",
			     json_object_get_string(json_object_array_get_idx(warnings, i)));
}

void report_swap(json_object *status)
{
	const char *error = json_opt_string(status, "error", NULL);

	print_swap(status);
	if (error)
		(void)printf("error: %s\n", error);
}

static const PrintColumn log_columns[] = {
	{"SWAP", PRINT_LEFT},    {"FROM", PRINT_LEFT},      {"TO", PRINT_LEFT},
	{"OUTCOME", PRINT_LEFT}, {"BLACKOUT", PRINT_RIGHT},
};

static void log_row(json_object *swap, const char **cells, PrintText *texts)
{
	texts[0] = print_duration(seconds_as_us(swap, "blackout_s"));
	cells[0] = json_opt_string(swap, "id", "");
	cells[1] = json_opt_string(swap, "from", "");
	cells[2] = json_opt_string(swap, "to", "");
	cells[3] = json_opt_string(swap, "state", "");
	cells[4] = texts[0].text;
}

void report_log(json_object *log)
{
	report_rows(log, log_columns, COLUMNS_OF(log_columns), log_row);
}

static const struct {
	const char *state;
	int status;
} exit_statuses[] = {
	{"done", STATUS_DONE},
	{"refused", STATUS_REFUSED},
	{"called-off", STATUS_CALLED_OFF},
	{"returned", STATUS_RETURNED},
};

/* What a swap's state stands for. */
static int exit_status_of(json_object *status)
{
	const char *state = json_opt_string(status, "state", "");

	for (size_t i = 0; i < COLUMNS_OF(exit_statuses); i++) {
		if (!strcmp(exit_statuses[i].state, state))
			return exit_statuses[i].status;
	}
	return STATUS_FAILED;
}

int report_end(const VerbArguments *arguments, json_object *status)
{
	int exit_status = exit_status_of(status);

	if (verb_option(arguments, "json"))
		print_json(status);
	else if (!verb_option(arguments, "quiet"))
		print_swap(status);
	if (exit_status != STATUS_DONE)
		(void)fprintf(
			stderr, "segue: %s\n",
			json_opt_string(status, "error",
					json_opt_string(status, "message", "the swap failed")));
	return exit_status;
}
