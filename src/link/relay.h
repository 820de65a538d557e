/* SPDX-License-Identifier: Apache-2.0 */
/* The segue-relay of this node: a process of its own, which ends with the link. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

#define RELAY_LINE_MAX 4096 /* bytes of what it tells at a time */

typedef struct LinkRelay {
	pid_t pid; /* 0: it does not run */
	int to, from;
	char line[RELAY_LINE_MAX];
	size_t n_line;
} LinkRelay;

typedef struct LinkRelaySetup {
	const char *program;       /* path */
	const char *directory;     /* of key and certificate, and of the depot */
	const char *address;       /* where it serves */
	int64_t quota;             /* of its releases; bytes, 0: no limit */
	int64_t rate_in, rate_out; /* bytes a second, 0: no limit */
} LinkRelaySetup;

/* Nothing if it runs. */
int link_relay_start(LinkRelay *relay, const LinkRelaySetup *setup, Error *err);
/* Whether it runs, after a look. */
bool link_relay_runs(LinkRelay *relay);
/* What it has received stays. */
void link_relay_stop(LinkRelay *relay);

/* A command: see relay/command.h.  -EPIPE: it has ended. */
int link_relay_tell(LinkRelay *relay, json_object *command, Error *err);

/* What it tells next: 1, and the caller puts the object; 0: nothing for so long; -EPIPE: it has
 * ended; -EBADMSG. */
int link_relay_hear(LinkRelay *relay, int limit_ms, json_object **ret, Error *err);
