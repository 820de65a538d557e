/* SPDX-License-Identifier: Apache-2.0 */
/* What a node is told to fetch, and from whom: one JSON object. */
#pragma once

#include "base/json.h"
#include "fleet/relay_order.h"
#include "relay/address.h"
#include "release/document.h"

#define ORDER_KEEP_MAX 16

typedef struct Order {
	char release[DOCUMENT_NAME_MAX + 1];
	char *document; /* owned; directory with its document and signatures, which were judged */
	int stripes;
	Address parents[RELAY_STRIPES_MAX][RELAY_PARENTS_MAX]; /* to be tried in order */
	size_t n_parents[RELAY_STRIPES_MAX];                   /* 1 or more */
	int64_t patience_us;
	int64_t rate; /* bytes a second that links are expected to have; 0: what is seen counts */
	char keep[ORDER_KEEP_MAX][DOCUMENT_NAME_MAX + 1]; /* releases that are not removed */
	size_t n_keep;
} Order;

/*
 * {"do": "fetch", "release": "r1", "document": "/path",
 *
 * "stripes": [[{"address": "192.0.2.1", "port": 7420}, ...], ...],
 *
 * "keep": ["r0"], "patience_ms": 1000, "rate": 125000000}
 *
 * What is in the last line may be left out.  -EBADMSG, -EINVAL.
 */
int order_parse(json_object *o, Order *ret, Error *err);
void order_release(Order *order);
#define _cleanup_order_ __attribute__((cleanup(order_release)))
