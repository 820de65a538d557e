/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of a hub have in common. */
#pragma once

#include <json-c/json.h>
#include <stdio.h>

#include "base/error.h"
#include "cli/verb.h"

#define HUB_OPTION_SOCKET                                                                          \
	{                                                                                          \
		"socket", "PATH", "of the hub (default: /run/segue-hub/hub.sock)"                  \
	}
#define HUB_OPTION_DIRECTORY                                                                       \
	{                                                                                          \
		"directory", "DIRECTORY", "of the hub's state (default: /var/lib/segue-hub)"       \
	}

/* Asks the hub of this machine: see transfer_ask(). */
int hub_ask(const VerbArguments *arguments, const char *method, const char *path, json_object *body,
	    json_object **ret_body, Error *err);
/* See transfer_send(). */
int hub_upload(const VerbArguments *arguments, const char *path, int fd, int64_t size, Error *err);
int hub_download(const VerbArguments *arguments, const char *path, FILE *to, Error *err);

/* "/v1/nodes/NAME" + suffix, for the first argument.  -EINVAL: it is no name.  The caller frees. */
int hub_node_path(const VerbArguments *arguments, const char *suffix, char **ret, Error *err);

/* Adds "KEY=VALUE" to an object of labels. */
int hub_label_add(json_object *labels, const char *text, Error *err);
/* Those of every --label; the caller puts the object. */
int hub_labels(const VerbArguments *arguments, json_object **ret, Error *err);

const char *hub_directory(const VerbArguments *arguments);

/* As root: makes the hub's state its user's, and this process that user for good, so that nothing
 * it makes there is root's.  As another user: nothing. */
int hub_become_owner(const char *directory, Error *err);
