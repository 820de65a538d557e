/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/json.h"
#include "cli/client.h"
#include "cli/link.h"
#include "cli/owner.h"
#include "cli/print.h"
#include "cli/report.h"
#include "cli/verb.h"

static void print_node(json_object *node)
{
	const char *config_error = json_opt_string(node, "config_error", NULL);

	(void)printf("Kernel: %s\nKept units: %zu\nSwap under way: %s\n",
		     json_opt_string(node, "kernel", "?"),
		     json_length(json_opt_array(node, "kept")),
		     json_opt_bool(node, "swapping", false) ? "yes" : "no");
	if (config_error)
		(void)printf("warning: %s\n", config_error);
}

static void print_link(json_object *link)
{
	const char *message = json_opt_string(link, "message", "");
	int64_t since_s = json_opt_int(link, "since_s", 0);

	(void)printf("Hub: %s, as node %s: %s", json_opt_string(link, "hub", "?"),
		     json_opt_string(link, "name", "?"), json_opt_string(link, "state", "?"));
	if (since_s)
		(void)printf(" since %s", owner_time(since_s).text);
	(void)printf("%s%s\n", *message ? ": " : "", message);
}

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *node = NULL, *swap = NULL, *link = NULL;
	Error err = {0};

	if (client_call("GET", "/v1/status", NULL, &node, &err) < 0 ||
	    client_call("GET", "/v1/swap", NULL, &swap, &err) < 0)
		return verb_fail(&err);
	link = link_describe();
	if (verb_option(arguments, "json")) {
		(void)json_object_object_add(node, "link", steal_ptr(&link));
		(void)json_object_object_add(node, "swap", steal_ptr(&swap));
		print_json(node);
		return STATUS_DONE;
	}
	print_node(node);
	if (link)
		print_link(link);
	if (swap)
		report_swap(swap);
	return STATUS_DONE;
}

const Verb verb_status = {
	.name = "status",
	.arguments = "",
	.summary = "Show this machine, and the swap under way or the last one",
	.options = (const VerbOption[]){{"json", NULL, "print JSON"}, {0}},
	.run = run,
};
