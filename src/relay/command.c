/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/command.h"

#include <errno.h>
#include <string.h>

#define DEPTH_MAX 8

static const char *const command_names[COMMANDS] = {
	[COMMAND_FETCH] = "fetch",
	[COMMAND_CANCEL] = "cancel",
};

static const char *const news_names[] = {
	[RELAY_PROGRESS] = "progress", [RELAY_LEFT] = "left",       [RELAY_TROUBLE] = "trouble",
	[RELAY_DONE] = "done",         [RELAY_REMOVED] = "removed",
};

static void cleanup_tokener(json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

static int object_parse(const char *text, size_t size, json_object **ret, Error *err)
{
	_cleanup_(cleanup_tokener) json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	_cleanup_json_ json_object *o = NULL;

	if (!tokener)
		return error_errno(err, -ENOMEM, "Reading a command");
	if (size > COMMAND_MAX)
		return error_set(err, -EFBIG, "A command has at most %d bytes", COMMAND_MAX);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	o = json_tokener_parse_ex(tokener, text, (int)size);
	if (json_tokener_get_error(tokener) != json_tokener_success ||
	    json_tokener_get_parse_end(tokener) != size ||
	    !json_object_is_type(o, json_type_object))
		return error_set(err, -EBADMSG, "A command is one JSON object in one line");
	*ret = steal_ptr(&o);
	return 0;
}

int command_parse(const char *text, size_t size, Command *ret, Error *err)
{
	_cleanup_json_ json_object *o = NULL;
	Command command = {.kind = COMMAND_FETCH};
	const char *name;
	int r = object_parse(text, size, &o, err);

	if (r < 0 || (r = document_get_string(o, "do", 16, &name, err)) < 0)
		return r;
	while (command.kind < COMMANDS && strcmp(command_names[command.kind], name) != 0)
		command.kind++;
	if (command.kind == COMMANDS)
		return error_set(err, -EBADMSG, "\"do\" is \"fetch\" or \"cancel\", not \"%s\"",
				 name);
	r = command.kind == COMMAND_FETCH
		    ? order_parse(o, &command.order, err)
		    : document_get_name(o, "release", command.order.release, err);
	if (r == 0)
		*ret = command;
	return r;
}

void command_release(Command *command)
{
	order_release(&command->order);
}

json_object *report_compose(const RelayReport *report)
{
	json_object *o = json_object_new_object();

	json_put_string(o, "tell", news_names[report->news]);
	json_put_string(o, "release", report->release);
	if (report->parent)
		json_put_string(o, "parent", report->parent->text);
	if (report->why)
		json_put_string(o, "why", report->why->text);
	if (report->chunks > 0) {
		json_put_int(o, "chunks_there", (int64_t)report->chunks_there);
		json_put_int(o, "chunks", (int64_t)report->chunks);
	}
	return o;
}

json_object *report_failed(const Error *why)
{
	json_object *o = json_object_new_object();

	json_put_string(o, "tell", "failed");
	json_put_string(o, "why", why->text);
	return o;
}
