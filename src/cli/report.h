/* SPDX-License-Identifier: Apache-2.0 */
/* What a check or a swap has to tell, for people. */
#pragma once

#include <json-c/json.h>

/* The result of a check: see swap_check() in swap/swap.h.  `dry_run`: as the plan of a swap. */
void report_check(json_object *result, int dry_run);

/* A swap: see swap_status() there. */
void report_swap(json_object *status);

/* A line for each of them. */
void report_log(json_object *log);

/* The exit status that a swap's state stands for. */
int report_exit_status(json_object *status);
