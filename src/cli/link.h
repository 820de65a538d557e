/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of a node have in common: the link of this machine to its hub. */
#pragma once

#include <json-c/json.h>

#include "base/error.h"

/* How the link is: {"hub", "name", "state", "message", "since_s"}; NULL if this machine is no node.
 * The caller puts it. */
json_object *link_describe(void);

/* systemctl VERB... segue-link.service */
int link_systemctl(const char *verb, const char *option, Error *err);

/* Runs `work` as the link's user, in a child: what the network says is read there. */
int link_as_user(int (*work)(void *data, Error *err), void *data, Error *err);
