/* SPDX-License-Identifier: Apache-2.0 */
/* The nodes that the hub knows, and what they last told of themselves. */
#pragma once

#include <json-c/json.h>

#include "hub/db.h"

/* Enters a node, as a part of the transaction under way.  -EEXIST: there is one of that name. */
int node_add(Db *db, const char *name, json_object *labels, const char *address, int64_t now_s,
	     int64_t *ret_id, Error *err);

/* -ENOENT: there is no node of that name. */
int node_find(Db *db, const char *name, int64_t *ret_id, Error *err);

/* Removes it with its orders and revokes its certificates, in one transaction. */
int node_remove(Db *db, int64_t id, int64_t now_s, Error *err);

/* It was heard from. */
int node_seen(Db *db, int64_t id, const char *address, int64_t now_s, Error *err);
int node_report(Db *db, int64_t id, json_object *report, int64_t now_s, Error *err);

/* Answers whether a node waits for orders right now. */
typedef bool NodeIsWaiting(int64_t id, void *data);

/* One node, or all of them if `name` is NULL, in the form of the API.  The caller puts the array. A
 * node that is not there leaves it empty. */
int node_list(Db *db, const char *name, int64_t now_s, NodeIsWaiting *is_waiting, void *data,
	      json_object **ret, Error *err);
