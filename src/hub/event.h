/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens in rollouts, told to the operator's command or web hook (the hook "event", see
 * hook.h): a rollout has another state, or a node's part in it is over.  One after the other, in
 * the order in which it happened; what is queued when a hub is killed is not told any more.
 */
#pragma once

#include <json-c/json.h>

#include "fleet/fleet.h"
#include "hub/hook.h"

typedef struct Events Events;

/* What there is of `fleet` has happened before, and is not told. */
int events_new(Hooks *hooks, const Fleet *fleet, Events **ret, Error *err);
void events_free(Events *events);

/* Tells what has changed since the last time.  `commands`: of each rollout, by its id, its hooks.
 */
void events_look(Events *events, const Fleet *fleet, json_object *commands);

/* Whether a hook that has ended was one of these. */
bool events_ended(Events *events, int64_t number);
