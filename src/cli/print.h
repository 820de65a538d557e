/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, and the figures in them. */
#pragma once

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

typedef struct PrintColumn {
	const char *name;
	enum { PRINT_LEFT, PRINT_RIGHT } side;
} PrintColumn;

/* Prints a table of `n_rows` times `n_columns` texts, row by row; a NULL is an empty cell. */
void print_table(const PrintColumn *columns, size_t n_columns, const char *const *cells,
		 size_t n_rows);

/* "1.9 s", "230 ms"; -1 gives "-".  The buffer is `text`. */
typedef struct PrintText {
	char text[40];
} PrintText;

PrintText print_duration(int64_t us);

/* "29.3 MiB"; -1 gives "-". */
PrintText print_bytes(int64_t bytes);

PrintText print_number(int64_t number);

/* The object, indented, on standard output. */
void print_json(json_object *object);
