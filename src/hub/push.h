/* SPDX-License-Identifier: Apache-2.0 */
/* A release for many nodes at once: who gets it from whom, and how far they are. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>

#include "hub/db.h"

typedef struct PushPorts {
	int hub, node; /* where the relays serve */
} PushPorts;

typedef struct PushCase {
	const char *release;
	json_object *nodes; /* as node_list() tells them */
	PushPorts ports;
	bool dry_run; /* order nothing; orders have the number 0 */
} PushCase;

/*
 * Orders nodes to fetch it from each other and from the hub, by their label "rack".  Gives
 * {"release", "orders": [{"node", "id", "order"}], "left_out": [{"node", "message"}]}: left out is
 * who has another order to finish.  The caller puts it.
 */
int push_order(Db *db, const PushCase *given, int64_t now_s, json_object **ret, Error *err);

/* The nodes that were ordered to fetch it, with their last order for it: {"node", "order", "state",
 * "message", "created_s", "finished_s"}, by name.  The caller puts the array. */
int push_list(Db *db, const char *release, json_object **ret, Error *err);
