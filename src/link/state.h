/* SPDX-License-Identifier: Apache-2.0 */
/* How the link is, for segue status. */
#pragma once

#include <json-c/json.h>

#include "base/error.h"
#include "link/config.h"

typedef enum LinkState {
	LINK_NONE, /* nothing was told yet */
	LINK_CONNECTING,
	LINK_CONNECTED,
	LINK_OFFLINE, /* and it goes on trying */
	LINK_REFUSED, /* by the hub, for good */
} LinkState;

/* `message`: why, or "". */
int link_state_write(const char *path, const LinkConfig *node, LinkState state, const char *message,
		     Error *err);

/* {"hub", "name", "state": a name, "message", "since_s"}; the caller puts it.  -ENOENT: no link
 * runs, and none was refused. */
int link_state_read(const char *path, json_object **ret, Error *err);
