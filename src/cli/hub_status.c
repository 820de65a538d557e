/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/hub.h"
#include "cli/owner.h"
#include "cli/print.h"

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *o = NULL;
	Error err = {0};

	if (hub_ask(arguments, "GET", "/v1/status", NULL, &o, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json")) {
		print_json(o);
		return STATUS_DONE;
	}
	(void)printf("Version: %s, since %s\n"
		     "Nodes: %lld, of which %lld wait for orders; %lld connections\n"
		     "Orders under way: %lld\n"
		     "Releases: %lld\n"
		     "Database: %s, version %lld\n"
		     "Certificate authority: %s, expires on %s\n",
		     json_opt_string(o, "version", "?"),
		     owner_time(json_opt_int(o, "started_s", 0)).text,
		     (long long)json_opt_int(o, "nodes", 0),
		     (long long)json_opt_int(o, "waiting", 0),
		     (long long)json_opt_int(o, "connections", 0),
		     (long long)json_opt_int(o, "orders_open", 0),
		     (long long)json_opt_int(o, "releases", 0),
		     print_bytes(json_opt_int(o, "database_bytes", -1)).text,
		     (long long)json_opt_int(o, "schema", 0), json_opt_string(o, "ca_sha256", "?"),
		     owner_time(json_opt_int(o, "ca_expires_s", 0)).text);
	if (strcmp(json_opt_string(o, "role", "alone"), "alone") != 0)
		(void)printf("One of several: %s; %s leads\n", json_opt_string(o, "role", ""),
			     *json_opt_string(o, "leader", "") ? json_opt_string(o, "leader", "")
							       : "none at the moment");
	return STATUS_DONE;
}

const Verb verb_hub_status = {
	.name = "hub status",
	.arguments = "",
	.summary = "Show the hub of this machine",
	.options = (const VerbOption[]){HUB_OPTION_SOCKET, {"json", NULL, "print JSON"}, {0}},
	.run = run,
};
