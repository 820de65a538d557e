/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rollouts at work: the engine of src/fleet, what it is told by nodes and operators, and what it
 * asks of them.
 *
 * What the engine decides, and the orders that follow from it, are one transaction of the database;
 * so a hub that is killed at any point goes on as if it had not been.  Nodes' ends of orders are in
 * the database before the engine is told of them, and it is told of them again after a crash.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "base/error.h"

typedef struct Hub Hub;
typedef struct Rollouts Rollouts;

/* Goes on with what there is.  -EPROTONOSUPPORT, -EBADMSG: what was kept cannot be read. */
int rollouts_open(Hub *hub, sd_event *event, Rollouts **ret, Error *err);
void rollouts_close(Rollouts *rollouts);

/* ---- what nodes do ---- */

/* One was enrolled, or is gone. */
int rollouts_node_added(Rollouts *rollouts, const char *node, Error *err);
void rollouts_node_removed(Rollouts *rollouts, const char *node);

/* A sign of life; `report` as in POST /v1/report, or NULL: nothing else. */
void rollouts_heard(Rollouts *rollouts, const char *node, json_object *report);

/* An order is over, which may be one of a rollout's. */
void rollouts_ended(Rollouts *rollouts, int64_t order);

/* ---- what operators want ---- */

/* `asked`: {"policy": {...}, "hooks": {...}}; see hook.h.  As rollout_start(); -ENOENT: the hub has
 * no such release. The caller puts what it is described as. */
int rollouts_start(Rollouts *rollouts, json_object *policy, json_object *hooks, json_object **ret,
		   Error *err);

typedef enum RolloutWish {
	ROLLOUT_WISH_PAUSE,
	ROLLOUT_WISH_RESUME,
	ROLLOUT_WISH_ABORT,
	ROLLOUT_WISH_SEND_BACK,
} RolloutWish;

/* -ENOENT; -EINVAL: not in the state that it is in. */
int rollouts_wish(Rollouts *rollouts, const char *id, RolloutWish wish, Error *err);

/* A release may not be used any more. */
void rollouts_withdraw(Rollouts *rollouts, const char *release);

/* See fleet/lock.h; a slot is kept before it is granted.  -EBUSY: not now, and why. */
int rollouts_lock(Rollouts *rollouts, const char *group, const char *id, Error *err);
int rollouts_unlock(Rollouts *rollouts, const char *id, Error *err);

/* As the API tells them; the caller puts the object.  -ENOENT. */
int rollouts_list(Rollouts *rollouts, json_object **ret, Error *err);
int rollouts_describe(Rollouts *rollouts, const char *id, json_object **ret, Error *err);

typedef struct RolloutCount {
	int64_t under_way, done, failed; /* nodes are those of rollouts under way */
	int64_t nodes, nodes_done, nodes_failed;
} RolloutCount;

RolloutCount rollouts_count(const Rollouts *rollouts);

/* Why a node, or a rollout, is as it is: what reason_to_json() gives.  -ENOENT. */
int rollouts_why(Rollouts *rollouts, const char *name, json_object **ret, Error *err);
