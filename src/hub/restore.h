/* SPDX-License-Identifier: Apache-2.0 */
/* Putting a backup in the place of the hub's database. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

typedef struct Restore {
	int fd; /* of the backup */
	bool open;
} Restore;

/* Looks whether it is a whole backup; then it is open, and its path need not be readable any more.
 * -EUCLEAN, -EBADMSG, -EPROTO: as db_check_file(). */
int restore_open(const char *path, Restore *ret, Error *err);
void restore_cancel(Restore *restore);

/* Puts it in place; what was there is kept as hub.db.old.  -EBUSY: a hub works with it; -EEXIST:
 * there is a database, and not `force`. */
int restore_finish(Restore *restore, const char *directory, bool force, Error *err);
