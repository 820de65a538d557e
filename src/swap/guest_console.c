/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/guest_console.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

#define MARK  "segue-init: " GUEST_MARK
#define PANIC "Kernel panic - not syncing: "

static void step_take(GuestConsole *console, const char *step, const char *says)
{
	bool ok = strcmp(says, "ok") == 0;
	json_object *o;

	if (strcmp(step, GUEST_BEGUN) == 0) {
		console->begun = true;
		return;
	}
	if (strcmp(step, GUEST_ENDED) == 0) {
		console->ended = true;
		return;
	}
	if (!console->steps)
		console->steps = json_object_new_array();
	o = json_object_new_object();
	json_put_string(o, "step", step);
	json_put_bool(o, "ok", ok);
	json_put_string(o, "message", ok ? NULL : says);
	(void)json_object_array_add(console->steps, o);
}

static void line_take(GuestConsole *console)
{
	char *line = console->line, *mark, *separator;

	line[console->size] = '\0';
	while (console->size > 0 && line[console->size - 1] == '\r')
		line[--console->size] = '\0';
	text_make_plain(line);
	if (*line)
		(void)snprintf(console->last, sizeof(console->last), "%.255s", line);
	if ((mark = strstr(line, PANIC)))
		(void)snprintf(console->panic, sizeof(console->panic), "%.255s",
			       mark + strlen(PANIC));
	if (!(mark = strstr(line, MARK)))
		return;
	mark += strlen(MARK);
	separator = strstr(mark, ": ");
	if (!separator)
		return;
	*separator = '\0';
	step_take(console, mark, separator + 2);
}

void guest_console_feed(GuestConsole *console, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n') {
			line_take(console);
			console->size = 0;
		} else if (console->size + 1 < sizeof(console->line)) {
			char *at = &console->line[console->size++];

			*at = data[i];
			if (!*at)
				*at = '?';
		}
	}
}

void guest_console_free(GuestConsole *console)
{
	(void)json_object_put(console->steps);
	*console = (GuestConsole){0};
}
