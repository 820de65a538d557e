/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "hub/ask.h"
#include "hub/hub.h"
#include "hub/node.h"
#include "hub/push.h"
#include "hub/relay.h"

static bool labels_match(json_object *node, json_object *wanted)
{
	json_object *labels = NULL;

	(void)json_object_object_get_ex(node, "labels", &labels);
	json_object_object_foreach(wanted, key, value)
	{
		if (strcmp(json_opt_string(labels, key, ""), json_object_get_string(value)) != 0)
			return false;
	}
	return true;
}

/* Those with all the labels. */
static int nodes_by_labels(Request *request, json_object *wanted, json_object *ret, Error *err)
{
	_cleanup_json_ json_object *all = NULL;
	int r = hub_nodes(request->hub, NULL, request->now_s, &all, err);

	for (size_t i = 0; r == 0 && i < json_length(all); i++) {
		json_object *node = json_object_array_get_idx(all, i);

		if (labels_match(node, wanted))
			(void)json_object_array_add(ret, json_object_get(node));
	}
	return r;
}

static bool has_name(json_object *nodes, const char *name)
{
	for (size_t i = 0; i < json_length(nodes); i++)
		if (!strcmp(json_opt_string(json_object_array_get_idx(nodes, i), "name", ""), name))
			return true;
	return false;
}

static int node_by_name(Request *request, const char *name, json_object *ret, Error *err)
{
	_cleanup_json_ json_object *found = NULL;
	Hub *hub = request->hub;
	int64_t id;
	int r = has_name(ret, name) ? -EEXIST : node_find(hub->db, name, &id, err);

	if (r == -EEXIST)
		return 0;
	if (r < 0 || (r = hub_nodes(hub, name, request->now_s, &found, err)) < 0)
		return r;
	return json_object_array_add(ret, json_object_get(json_object_array_get_idx(found, 0)));
}

static int nodes_find(Request *request, const AskPush *ask, json_object *ret, Error *err)
{
	int r = ask->labels ? nodes_by_labels(request, ask->labels, ret, err) : 0;

	for (size_t i = 0; r == 0 && i < json_length(ask->nodes); i++)
		r = node_by_name(request,
				 json_object_get_string(json_object_array_get_idx(ask->nodes, i)),
				 ret, err);
	if (r == 0 && json_length(ret) == 0)
		return error_set(err, -ENOENT, "No node has these labels; segue nodes lists them");
	return r;
}

static int push_give(Hub *hub, const PushCase *push, int64_t now_s, json_object **ret, Error *err)
{
	json_object *orders;
	int r = push_order(hub->db, push, now_s, ret, err);

	if (r < 0 || push->dry_run)
		return r;
	orders = json_opt_array(*ret, "orders");
	hub->count.orders += json_length(orders);
	for (size_t i = 0; i < json_length(orders); i++)
		orders_wake(hub, json_opt_int(json_object_array_get_idx(orders, i), "id", 0));
	return 0;
}

static PushPorts ports_of(const Hub *hub)
{
	return (PushPorts){.hub = hub_relay_port(hub->relay), .node = RELAY_NODE_PORT};
}

int hub_push(Hub *hub, const char *release, json_object *nodes, int64_t now_s, json_object **ret,
	     Error *err)
{
	const PushCase push = {.release = release, .nodes = nodes, .ports = ports_of(hub)};

	return push_give(hub, &push, now_s, ret, err);
}

int handle_push(Request *request, json_object **ret_body, Error *err)
{
	_cleanup_json_ json_object *nodes = json_object_new_array(), *release = NULL;
	Hub *hub = request->hub;
	PushCase push = {.nodes = nodes, .ports = ports_of(hub)};
	AskPush ask;
	int r;

	if ((r = ask_push(request->body, &ask, err)) < 0 ||
	    (!ask.dry_run &&
	     (r = catalog_describe(hub->catalog, ask.release, &release, err)) < 0) ||
	    (r = nodes_find(request, &ask, nodes, err)) < 0)
		return r;
	push.release = ask.release;
	push.dry_run = ask.dry_run;
	return push_give(hub, &push, request->now_s, ret_body, err);
}

int handle_pushed(Request *request, json_object **ret_body, Error *err)
{
	json_object *list;
	int r = push_list(request->hub->db, request->names[0], &list, err);

	if (r < 0)
		return r;
	*ret_body = json_object_new_object();
	json_put_string(*ret_body, "release", request->names[0]);
	return json_object_object_add(*ret_body, "nodes", list);
}
