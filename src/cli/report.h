/* SPDX-License-Identifier: Apache-2.0 */
/* What a check or a swap has to tell, for people. */
#pragma once

#include <json-c/json.h>

#include "cli/verb.h"

/* The result of a check: see swap_check() in swap/swap.h.  `dry_run`: as the plan of a swap. */
void report_check(json_object *result, int dry_run);

/* A swap, and why it failed if it did: see swap_status() there. */
void report_swap(json_object *status);

/* A line for each of them. */
void report_log(json_object *log);

/* How a swap that was followed has ended: on standard output by --json or --quiet, why it failed on
 * standard error.  Returns the exit status. */
int report_end(const VerbArguments *arguments, json_object *status);
