/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at the other end of a unix socket. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

typedef enum Access {
	ACCESS_NONE,
	ACCESS_READ, /* may ask how things are */
	ACCESS_FULL, /* may change them */
} Access;

/* What the peer of `fd` may do: root all, members of `group` (NULL: there is none) read. */
int peer_access(int fd, const char *group, Access *ret_access, Error *err);
