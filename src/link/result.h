/* SPDX-License-Identifier: Apache-2.0 */
/* What the hub is told of an order. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "link/session.h"

/* `state`: "running", "done" or "failed".  As session_ask(). */
int result_tell(Session *session, int64_t order, const char *state, const char *message,
		Error *err);

/* Whether the hub has said, by this error of result_tell(), that it wants to hear no more of the
 * order. */
bool result_is_settled(int r);
