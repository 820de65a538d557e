/* SPDX-License-Identifier: Apache-2.0 */
/* Which units are kept: a file for each in /var/lib/segue/kept, so that it outlives the boot. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* Marks a unit (normalized name) as kept; doing so again is no error.  `transient`: it was made by
 * "segue run" and is forgotten when systemd no longer knows it. */
int kept_add(const char *unit, bool transient, Error *err);

/* -ENOENT if it is not kept. */
int kept_remove(const char *unit, Error *err);

/* The names, sorted; the list ends with NULL.  Free with kept_list_free(). */
int kept_list(char ***ret_units, Error *err);
void kept_list_free(char **units);

static inline void cleanup_kept_list(char ***units)
{
	kept_list_free(*units);
}
#define _cleanup_kept_list_ _cleanup_(cleanup_kept_list)

/* Forgets transient units that systemd no longer knows.  Must not be called between the jump and
 * the adoption of the units, when systemd knows none of them yet. */
int kept_prune(Error *err);
