/* SPDX-License-Identifier: Apache-2.0 */
/* Watching a swap until it ends, also across the jump: segue itself may be among what is carried.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>

#include "base/error.h"

/*
 * Follows the swap `id` and tells each step, unless `quiet`.  If `id` is NULL it is the first one
 * seen that is not `previous`.  `ret_status` gets how it ended, which the caller puts. -ETIMEDOUT:
 * segued was not reachable for ten minutes.
 */
int follow_swap(const char *id, const char *previous, bool quiet, json_object **ret_status,
		Error *err);
