/* SPDX-License-Identifier: Apache-2.0 */
/* Where the hub is reached. */
#pragma once

#include "base/error.h"

/* A listening TCP socket at "ADDRESS:PORT", "[ADDRESS]:PORT" or "PORT" (all addresses); port 0 is
 * any that is free.  -EINVAL: it is none of these; -EADDRINUSE. */
int listen_open(const char *where, int *ret_fd, unsigned *ret_port, Error *err);
