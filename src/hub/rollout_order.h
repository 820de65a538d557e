/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's actions as orders to nodes, and how these end as outcomes.
 *
 * To stage is two orders, one after the other: fetch, for all that are asked at once, so that they
 * get the release from each other; then stage.
 */
#pragma once

#include <json-c/json.h>

#include "fleet/rollout.h"
#include "hub/hub.h"

typedef struct RolloutOrders {
	json_object *kernels; /* of releases that were rolled out, by name */
	json_object *before;  /* kernels of nodes before they were swapped, by node */
} RolloutOrders;

/* What of `pending` has no order yet gets one, unless its time has not come, or the node has
 * another one to finish. */
int rollout_orders_give(RolloutOrders *orders, Hub *hub, Fleet *fleet, const Actions *pending,
			int64_t now_us, Error *err);

/* An order is over: tells the engine, if it was an action's. */
int rollout_orders_ended(RolloutOrders *orders, Hub *hub, Fleet *fleet, int64_t order,
			 int64_t now_us, Error *err);

/* The same of those that ended and were not told: the hub was killed in between. */
int rollout_orders_resume(RolloutOrders *orders, Hub *hub, Fleet *fleet, int64_t now_us,
			  Error *err);

/* What a node that runs this kernel runs, by name: a release that was rolled out, the last one
 * first, or the kernel itself. */
const char *rollout_orders_release(const RolloutOrders *orders, const Fleet *fleet,
				   const char *kernel);

/* `release`, if that kernel is its; else NULL. */
const char *rollout_orders_release_of(const RolloutOrders *orders, const char *release,
				      const char *kernel);
