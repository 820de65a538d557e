/* SPDX-License-Identifier: Apache-2.0 */
/* What a rollout would do, in order, if everything went well: the engine itself, in a world where
 * every action succeeds in the time that the policy expects. */
#pragma once

#include <json-c/json.h>

#include "fleet/fleet.h"

/*
 * Runs rollout `index` of the fleet, which is used up by that, from real time `now_us` on.  The
 * result, which the caller puts:
 *   { "rollout": "...", "release": "...", "state": "done"|..., "duration_s": n, "nodes": n,
 *     "why": { as reason_to_json() } | null,
 *     "steps": [ { "at_s": n, "wave": n, "node": "...", "group": "..." } ],
 *     "left": [ { "node": "...", "state": "...", "why": {...} } ] }
 * `steps` are the nodes in the order in which they are taken down; `left` are those that would not
 * be changed.  -ENOMEM.
 */
int forecast_make(Fleet *fleet, int index, int64_t now_us, json_object **ret, Error *err);
