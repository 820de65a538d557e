/* SPDX-License-Identifier: Apache-2.0 */
/* Files of sections and assignments, in the syntax of systemd.syntax(7). */
#pragma once

#include <stddef.h>

#include "base/error.h"

/* One assignment.  The texts are valid during the call only; `section` is "" before the first
 * section.  A negative return ends the parse; an error that is set gets file and line put in front.
 */
typedef int IniAssignment(const char *section, const char *key, const char *value, void *data,
			  Error *err);

typedef enum IniMode {
	INI_STRICT,  /* a line that is nothing of this is -EBADMSG */
	INI_LENIENT, /* and is passed over, as systemd does */
} IniMode;

/*
 * Calls `each` for every assignment, in order.  `name` stands for the text in errors.  Comments
 * begin with # or ;, a line that ends with a backslash goes on in the next one (the two become
 * one blank), and blanks around keys and values do not count.  -EBADMSG, also for a NUL byte.
 */
int ini_parse(const char *text, size_t size, const char *name, IniMode mode, IniAssignment *each,
	      void *data, Error *err);
