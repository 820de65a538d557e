/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/error.h"

#define HOOK_LIMIT_MS 60000

/* Runs a command for the shell that a unit has for an occasion, such as "PreFreeze="; NULL:
 * nothing. The error names unit and occasion.  -ETIMEDOUT: killed after `limit_ms`. */
int hook_run(const char *unit, const char *occasion, const char *command, int limit_ms, Error *err);
