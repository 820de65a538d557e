/* SPDX-License-Identifier: Apache-2.0 */
/* Becoming a node of a hub, and being one no longer.  To be done as the link's user: what the
 * network says is read here. */
#pragma once

#include <json-c/json.h>

#include "base/error.h"
#include "link/config.h"
#include "release/digest.h"

typedef struct JoinRequest {
	LinkConfig node;
	const char *token;
	const char *authority;     /* that of the hub, PEM; NULL: what the hub shows */
	const Digest *fingerprint; /* which one must have; NULL: that in the token */
	json_object *labels;       /* NULL: none */
	const char *directory;     /* where key, certificate and authority go */
} JoinRequest;

/*
 * The authority is held against the token before anything secret is sent.  Replaces what is in the
 * directory.  -EINVAL: something that was given is wrong; -EKEYREJECTED: the token, or the hub, is
 * not what it should be; -EEXIST: there is such a node; others as session_ask().
 */
int join_enrol(const JoinRequest *request, Error *err);

/* Tells the hub.  -EKEYREJECTED: it does not know the node any more. */
int join_leave(const LinkConfig *node, const char *directory, Error *err);
