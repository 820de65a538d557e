/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/print.h"

#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>

void print_table(const PrintColumn *columns, size_t n_columns, const char *const *cells,
		 size_t n_rows)
{
	struct libscols_table *table = scols_new_table();

	if (!table)
		return;
	for (size_t i = 0; i < n_columns; i++)
		(void)scols_table_new_column(table, columns[i].name, 0,
					     columns[i].side == PRINT_RIGHT ? SCOLS_FL_RIGHT : 0);
	for (size_t row = 0; row < n_rows; row++) {
		struct libscols_line *line = scols_table_new_line(table, NULL);

		for (size_t i = 0; line && i < n_columns; i++)
			(void)scols_line_set_data(line, i, cells[row * n_columns + i]);
	}
	(void)scols_print_table(table);
	scols_unref_table(table);
}

PrintText print_duration(int64_t us)
{
	PrintText result;

	if (us < 0)
		(void)snprintf(result.text, sizeof(result.text), "-");
	else if (us < 1000000)
		(void)snprintf(result.text, sizeof(result.text), "%" PRId64 " ms", us / 1000);
	else
		(void)snprintf(result.text, sizeof(result.text), "%.1f s", (double)us / 1e6);
	return result;
}

PrintText print_bytes(int64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	PrintText result;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(*units)) {
		value /= 1024;
		unit++;
	}
	if (bytes < 0)
		(void)snprintf(result.text, sizeof(result.text), "-");
	else
		(void)snprintf(result.text, sizeof(result.text), "%.*f %s", unit > 0 ? 1 : 0, value,
			       units[unit]);
	return result;
}

PrintText print_number(int64_t number)
{
	PrintText result;

	if (number < 0)
		(void)snprintf(result.text, sizeof(result.text), "-");
	else
		(void)snprintf(result.text, sizeof(result.text), "%" PRId64, number);
	return result;
}

void print_json(json_object *object)
{
	(void)printf("%s\n", json_object_to_json_string_ext(
				     object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
						     JSON_C_TO_STRING_NOSLASHESCAPE));
}
