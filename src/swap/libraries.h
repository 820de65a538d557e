/* SPDX-License-Identifier: Apache-2.0 */
/* The shared libraries that a program is loaded with. */
#pragma once

#include <stddef.h>

#include "base/error.h"

typedef struct Libraries {
	char **paths; /* owned, with its texts; the loader of programs among them */
	size_t n;
} Libraries;

/* -ENOENT: one is not installed; else why ldd(1) failed. */
int libraries_find(const char *program, Libraries *ret, Error *err);

/* Out of what ldd prints. */
int libraries_parse(const char *text, Libraries *ret, Error *err);

void libraries_free(Libraries *libraries);
