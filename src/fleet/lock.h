/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots for clients that restart their machines themselves and ask first, as those of FleetLock
 * (https://coreos.github.io/zincati/development/fleetlock/protocol/) do.  They take part under the
 * same limits as rollouts: those of the group, those of every rollout under way in it, and all
 * ties.  A group that has no limit from either lets one node go at a time.
 */
#pragma once

#include "fleet/fleet.h"

/*
 * `id` wants to go down.  0: it may; also if it has a slot already.  -EBUSY: not now, and `ret_why`
 * says why; ask again.  A client that the fleet does not know becomes a node of `group`.  -ENOMEM.
 */
int lock_take(Fleet *fleet, const char *group, const char *id, Reason *ret_why, Error *err);

/* `id` is up again.  That it had no slot is no error. */
void lock_give(Fleet *fleet, const char *id);

/* Part of a step: slots held for longer than the fleet's lease become free, and their nodes count
 * as unhealthy until they are heard of. */
void lock_watch(Fleet *fleet);
