/* SPDX-License-Identifier: Apache-2.0 */
/* Asking on the terminal for what must not be seen there. */
#pragma once

#include <stddef.h>

#include "base/error.h"

/* One line, typed blind, without its end.  -ENOTTY: there is no terminal; -EINTR: a signal came,
 * which is raised again once the terminal is as it was. */
int terminal_ask(const char *prompt, char *ret, size_t size, Error *err);
