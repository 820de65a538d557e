/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orders to nodes: queued, sent, running, then done, failed or cancelled for good.
 *
 * An order is sent again and again until the node has said what became of it, so nothing is lost by
 * a connection that breaks; a node must know an order by its id.
 */
#pragma once

#include <json-c/json.h>

#include "hub/db.h"

#define ORDER_MESSAGE_MAX 1024

/* `body`: what the node is told besides id and kind.  -EBUSY: an order to it is not final yet. */
int order_add(Db *db, int64_t node, const char *kind, json_object *body, int64_t now_s,
	      int64_t *ret_id, Error *err);

/* -EBUSY, as order_add(). */
int order_check_none(Db *db, int64_t node, Error *err);

/* Adds one without that, as a part of the transaction under way. */
int order_insert(Db *db, int64_t node, const char *kind, json_object *body, int64_t now_s,
		 int64_t *ret_id, Error *err);

/* Those of a node that are not final and come after `after`, oldest first, which counts as sent.
 * The caller puts the array. */
int order_fetch(Db *db, int64_t node, int64_t after, int64_t now_s, json_object **ret, Error *err);

typedef enum OrderState {
	ORDER_RUNNING,
	ORDER_DONE,
	ORDER_FAILED,
} OrderState;

/* NULL name: -EINVAL. */
int order_state_parse(const char *name, OrderState *ret, Error *err);

/* -ENOENT: the node has no such order; -EEXIST: it is final, with another result. */
int order_result(Db *db, int64_t node, int64_t id, OrderState state, const char *message,
		 int64_t now_s, Error *err);

/* A node that has begun is not stopped by it.  -ENOENT; -EEXIST: it is final. */
int order_cancel(Db *db, int64_t node, int64_t id, int64_t now_s, Error *err);

/* One, or the last ones if `id` is 0, newest first.  The caller puts the array. */
int order_list(Db *db, int64_t node, int64_t id, json_object **ret, Error *err);

int order_count_open(Db *db, int64_t *ret, Error *err);

/* Forgets those that have been final for long. */
int order_prune(Db *db, int64_t now_s, Error *err);
