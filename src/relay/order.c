/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/order.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_DEFAULT_MS 1000
#define PATIENCE_MIN_MS     100
#define PATIENCE_MAX_MS     60000
#define RATE_MAX            ((int64_t)1 << 40)
#define PATH_SIZE_MAX       4095

void order_release(Order *order)
{
	free(order->document);
}

static int parents_parse(Order *order, int stripe, json_object *list, Error *err)
{
	size_t n = json_object_is_type(list, json_type_array) ? json_length(list) : 0;

	if (n < 1 || n > RELAY_PARENTS_MAX)
		return error_set(err, -EBADMSG, "A stripe has 1 to %d parents", RELAY_PARENTS_MAX);
	for (size_t i = 0; i < n; i++) {
		json_object *o = json_object_array_get_idx(list, i);
		const char *address;
		int64_t port;
		int r;

		if (!json_object_is_type(o, json_type_object))
			return error_set(err, -EBADMSG, "A parent is not an object");
		if ((r = document_get_string(o, "address", 64, &address, err)) < 0 ||
		    (r = document_get_number(o, "port", 1, UINT16_MAX, &port, err)) < 0 ||
		    (r = address_parse(address, port, &order->parents[stripe][i], err)) < 0)
			return r;
	}
	order->n_parents[stripe] = n;
	return 0;
}

static int stripes_parse(Order *order, json_object *o, Error *err)
{
	json_object *stripes;
	size_t n;
	int r = json_get_array(o, "stripes", &stripes, err);

	if (r < 0)
		return r;
	n = json_length(stripes);
	if (n < 1 || n > RELAY_STRIPES_MAX)
		return error_set(err, -EBADMSG, "There are 1 to %d stripes", RELAY_STRIPES_MAX);
	order->stripes = (int)n;
	for (int i = 0; r == 0 && i < order->stripes; i++)
		r = parents_parse(order, i, json_object_array_get_idx(stripes, (size_t)i), err);
	return r;
}

static int keep_parse(Order *order, json_object *o, Error *err)
{
	json_object *list = json_opt_array(o, "keep");

	if (json_length(list) > ORDER_KEEP_MAX)
		return error_set(err, -EBADMSG, "\"keep\" has more than %d names", ORDER_KEEP_MAX);
	for (size_t i = 0; i < json_length(list); i++) {
		json_object *item = json_object_array_get_idx(list, i);
		const char *name = json_object_is_type(item, json_type_string)
					   ? json_object_get_string(item)
					   : "";

		if (!name_is_valid(name))
			return error_set(err, -EBADMSG, "\"keep\": \"%.80s\" is not a name", name);
		(void)snprintf(order->keep[order->n_keep++], sizeof(order->keep[0]), "%s", name);
	}
	return 0;
}

static int order_read(Order *order, json_object *o, Error *err)
{
	int64_t patience_ms = PATIENCE_DEFAULT_MS;
	const char *document;
	int r = document_get_name(o, "release", order->release, err);

	if (r < 0 || (r = document_get_string(o, "document", PATH_SIZE_MAX, &document, err)) < 0 ||
	    (r = stripes_parse(order, o, err)) < 0 || (r = keep_parse(order, o, err)) < 0)
		return r;
	if (json_object_object_get_ex(o, "patience_ms", NULL))
		r = document_get_number(o, "patience_ms", PATIENCE_MIN_MS, PATIENCE_MAX_MS,
					&patience_ms, err);
	if (r == 0 && json_object_object_get_ex(o, "rate", NULL))
		r = document_get_number(o, "rate", 0, RATE_MAX, &order->rate, err);
	if (r < 0)
		return r;
	order->patience_us = patience_ms * 1000;
	order->document = strdup(document);
	return order->document ? 0 : error_errno(err, -ENOMEM, "Reading an order");
}

int order_parse(json_object *o, Order *ret, Error *err)
{
	Order order = {0};
	int r = order_read(&order, o, err);

	if (r == 0)
		*ret = order;
	return r;
}
