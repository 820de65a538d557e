/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/hub.h"
#include "cli/owner.h"
#include "cli/print.h"

enum { COLUMNS = 3 };

static const PrintColumn columns[COLUMNS] = {
	{"CHANNEL", PRINT_LEFT},
	{"RELEASE", PRINT_LEFT},
	{"SINCE", PRINT_LEFT},
};

static int channels_print(json_object *channels)
{
	size_t n = json_length(channels);
	_cleanup_free_ const char **cells = calloc(n + 1, COLUMNS * sizeof(*cells));
	_cleanup_free_ OwnerTime *times = calloc(n + 1, sizeof(*times));

	if (!cells || !times)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		json_object *channel = json_object_array_get_idx(channels, i);

		times[i] = owner_time(json_opt_int(channel, "set_s", 0));
		cells[i * COLUMNS] = json_opt_string(channel, "name", "");
		cells[i * COLUMNS + 1] = json_opt_string(channel, "release", "");
		cells[i * COLUMNS + 2] = times[i].text;
	}
	print_table(columns, COLUMNS, cells, n);
	return 0;
}

static int channels_list(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *answer = NULL;
	json_object *channels;
	Error err = {0};

	if (hub_ask(arguments, "GET", "/v1/channels", NULL, &answer, &err) < 0)
		return verb_fail(&err);
	channels = json_opt_array(answer, "channels");
	if (verb_option(arguments, "json"))
		print_json(channels);
	else if (channels_print(channels) < 0)
		return verb_fail(&(Error){-ENOMEM, "Listing channels: out of memory"});
	return STATUS_DONE;
}

static int channel_change(const VerbArguments *arguments, const char *name, const char *release)
{
	_cleanup_free_ char *path = text_format("/v1/channels/%s", name);
	_cleanup_json_ json_object *body = json_object_new_object();
	Error err = {0};
	int r;

	if (!name_is_valid(name))
		return verb_usage("hub channel", "hub channel: \"%s\" is no name", name);
	json_put_string(body, "release", release);
	r = path ? hub_ask(arguments, release ? "PUT" : "DELETE", path, release ? body : NULL, NULL,
			   &err)
		 : error_errno(&err, -ENOMEM, "Asking the hub");
	if (r < 0)
		return verb_fail(&err);
	if (release)
		(void)printf("Channel %s offers %s, and who follows it is sent it\n", name,
			     release);
	return STATUS_DONE;
}

static int run(const VerbArguments *arguments)
{
	bool remove = verb_option(arguments, "remove");
	int n = arguments->n_positional;

	if (n == 0 && !remove)
		return channels_list(arguments);
	if (n != (remove ? 1 : 2))
		return verb_usage("hub channel", "hub channel: give NAME and RELEASE, or --remove "
						 "and NAME, or neither to list");
	return channel_change(arguments, arguments->positional[0],
			      remove ? NULL : arguments->positional[1]);
}

const Verb verb_hub_channel = {
	.name = "hub channel",
	.arguments = "[NAME RELEASE]",
	.summary = "List channels, or set what one offers the nodes that follow it",
	.options =
		(const VerbOption[]){
			{"remove", NULL, "remove the channel NAME"},
			HUB_OPTION_SOCKET,
			{"json", NULL, "print the list as JSON"},
			{0},
		},
	.arguments_min = 0,
	.arguments_max = 2,
	.run = run,
};
