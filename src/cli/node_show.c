/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/hub.h"
#include "cli/owner.h"
#include "cli/print.h"

static void report_print(json_object *report)
{
	json_object *kept = json_opt_array(report, "kept");

	(void)printf("Kernel: %s\nHealth: %s\nKept units:", json_opt_string(report, "kernel", "?"),
		     json_opt_string(report, "health", "?"));
	for (size_t i = 0; i < json_length(kept); i++)
		(void)printf(" %s", json_object_get_string(json_object_array_get_idx(kept, i)));
	(void)printf("\n");
}

static void order_print(json_object *order)
{
	const char *message = json_opt_string(order, "message", "");

	(void)printf("Order %lld: %s %s: %s%s%s, %s\n", (long long)json_opt_int(order, "id", 0),
		     json_opt_string(order, "kind", "?"),
		     json_opt_string(order, "kernel", json_opt_string(order, "release", "newest")),
		     json_opt_string(order, "state", "?"), *message ? ": " : "", message,
		     owner_time(json_opt_int(order, "created_s", 0)).text);
}

static void node_print(json_object *node)
{
	json_object *report, *labels, *orders = json_opt_array(node, "orders");

	(void)printf("Node: %s\nState: %s\nAddress: %s\nCertificate expires: %s\n",
		     json_opt_string(node, "name", "?"), json_opt_string(node, "state", "?"),
		     json_opt_string(node, "address", "?"),
		     owner_time(json_opt_int(node, "expires_s", 0)).text);
	if (json_object_object_get_ex(node, "labels", &labels))
		(void)printf("Labels: %s\n",
			     json_object_to_json_string_ext(labels, JSON_C_TO_STRING_PLAIN));
	if (json_object_object_get_ex(node, "report", &report))
		report_print(report);
	for (size_t i = 0; i < json_length(orders); i++)
		order_print(json_object_array_get_idx(orders, i));
}

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *node = NULL;
	_cleanup_free_ char *path = NULL;
	Error err = {0};

	if (hub_node_path(arguments, "", &path, &err) < 0 ||
	    hub_ask(arguments, "GET", path, NULL, &node, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json"))
		print_json(node);
	else
		node_print(node);
	return STATUS_DONE;
}

const Verb verb_node_show = {
	.name = "node show",
	.arguments = "NODE",
	.summary = "Show a node, and its last orders",
	.options = (const VerbOption[]){HUB_OPTION_SOCKET, {"json", NULL, "print JSON"}, {0}},
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run,
};
