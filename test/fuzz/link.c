/* SPDX-License-Identifier: Apache-2.0 */
/* An order as a hub gives it, to swap or to fetch; behind a byte 0xff, a swap and a log as segued
 * tells them. */
#include "link/fetch.h"
#include "link/order.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "fuzz.h"
#include "http/body.h"

static json_object *part_parse(const uint8_t **bytes, size_t *size)
{
	size_t n;
	const uint8_t *part = fuzz_part(bytes, size, &n);
	_cleanup_free_ char *text = fuzz_text(part, n);
	json_object *object = NULL;
	Error err = {0};
	int r = body_parse(text, n, &object, &err);

	if (r < 0)
		require_refusal(r, &err);
	return r < 0 ? NULL : object;
}

static void try_fetch(json_object *given)
{
	_cleanup_json_ json_object *command = NULL;
	Error err = {0};
	int64_t id;
	int r = link_fetch_take(given, "192.0.2.1", &id, &command, &err);

	if (r < 0)
		require_refusal(r, &err);
	else
		require(id > 0 && *json_opt_string(command, "release", ""));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_json_ json_object *given = part_parse(&bytes, &size);
	_cleanup_json_ json_object *swap = part_parse(&bytes, &size);
	_cleanup_json_ json_object *log = json_object_new_array(), *body = NULL;
	LinkOrder order;
	Error err = {0};
	bool over;
	int r;

	(void)json_object_array_add(log, part_parse(&bytes, &size));
	if (!given)
		return 0;
	if (link_fetch_is_given(given)) {
		try_fetch(given);
		return 0;
	}
	r = link_order_take(given, &order, &err);
	if (r < 0) {
		require_refusal(r, &err);
		return 0;
	}
	require(order.id > 0);
	body = link_order_request(&order);
	require(strcmp(json_opt_string(body, "kernel", ""), order.kernel) == 0);
	over = link_order_judge(&order, NULL, swap, log, true);
	require(over == (*order.state != '\0'));
	require(link_order_judge(&order, NULL, swap, log, false) && *order.state);
	return 0;
}
