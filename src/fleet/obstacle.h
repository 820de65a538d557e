/* SPDX-License-Identifier: Apache-2.0 */
/* What makes it certain that a rollout cannot get anywhere, so that nobody waits for it. */
#pragma once

#include <stdbool.h>

#include "fleet/fleet.h"

/* By its limits, ties and windows, with the nodes that the fleet has now.  True if there is
 * something. */
bool obstacle_find(const Fleet *fleet, int rollout, Reason *ret_why);

/* What only matters before it begins: names that are not known, other rollouts in its way. */
bool obstacle_find_at_start(const Fleet *fleet, int rollout, Reason *ret_why);
