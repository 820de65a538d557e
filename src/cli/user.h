/* SPDX-License-Identifier: Apache-2.0 */
/* Being the user of a service. */
#pragma once

#include "base/error.h"

/* As root: makes a directory that user's, and this process that user for good, so that nothing it
 * makes there is root's.  As another user: nothing.  -ENOENT: there is no such user. */
int user_become(const char *name, const char *directory, Error *err);
