/* SPDX-License-Identifier: Apache-2.0 */
/* What segue-relay is told, and what it tells: JSON objects, one a line. */
#pragma once

#include "relay/order.h"
#include "relay/relay.h"

#define COMMAND_MAX 65536 /* bytes of a line */

typedef enum CommandKind {
	COMMAND_FETCH,
	COMMAND_CANCEL, /* {"do": "cancel", "release": "r1"} */
	COMMANDS,
} CommandKind;

typedef struct Command {
	CommandKind kind;
	Order order; /* of fetch: all of it; of cancel: its release */
} Command;

/* -EBADMSG, -EINVAL; -EFBIG: longer than COMMAND_MAX. */
int command_parse(const char *text, size_t size, Command *ret, Error *err);
void command_release(Command *command);
#define _cleanup_command_ __attribute__((cleanup(command_release)))

/* The line for a report; `failed` is one about a command that could not be done.  NULL: no memory.
 */
json_object *report_compose(const RelayReport *report);
json_object *report_failed(const Error *why);
