/* SPDX-License-Identifier: Apache-2.0 */
/* Commands started as kept transient services: "segue run". */
#pragma once

#include <stdbool.h>

#include "base/error.h"

typedef struct TransientRequest {
	const char *const *argv;        /* argv[0] absolute; ends with NULL */
	const char *unit;               /* normalized name; NULL: made from argv[0] */
	const char *description;        /* NULL: the command */
	const char *user;               /* NULL: root */
	const char *working_directory;  /* NULL: / */
	const char *const *environment; /* "NAME=VALUE"; NULL: none */
	bool forking;                   /* the command ends when its daemon is up */
} TransientRequest;

/* "run-segue-NAME-N.service" for a command: `path`'s last part, with what cannot be in a unit's
 * name replaced.  The caller frees; NULL without memory. */
char *transient_name(const char *path, unsigned n);

/* Starts it, waits until it is up, and marks it kept.  -EEXIST: a unit of that name runs already.
 * `ret_unit` is the caller's to free. */
int transient_start(const TransientRequest *request, char **ret_unit, Error *err);
