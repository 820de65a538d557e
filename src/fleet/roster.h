/* SPDX-License-Identifier: Apache-2.0 */
/* Which nodes are a rollout's, and in which order it takes them. */
#pragma once

#include "fleet/fleet.h"

/*
 * Anew, after the fleet has changed.  Nodes that have come are taken in, unless the rollout stops
 * or runs no more; those that were moved to another group are left alone, unless they are under
 * way.
 *
 * The order: by the value of the first label of --apart, so that one value after the other gets its
 * turn; then the first of each group, the second of each, and so on; within a group by name.
 * -ENOMEM.
 */
int roster_make(const Fleet *fleet, Rollout *rollout, Error *err);
