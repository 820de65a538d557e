/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that says by itself whether it is whole:
 *     MAGIC VERSION SIZE CHECKSUM
 * and, from the next line on, SIZE bytes.  CHECKSUM, eight hexadecimal digits, is that of
 * "VERSION SIZE" and the bytes; this line is the same in every version to come, so that what is
 * newer can be told from what is damaged.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

/* Of `body`, which holds no NUL.  The caller frees it; NULL without memory. */
char *sealed_make(const char *magic, unsigned version, const char *body);

/* Where its bytes begin; they go on to the end of `text`, which need not be NUL-terminated.
 * -EBADMSG: damaged; -EPROTONOSUPPORT: undamaged, of a version after `version`. */
int sealed_open(const char *magic, unsigned version, const char *text, size_t size,
		const char **ret_body, Error *err);
