/* SPDX-License-Identifier: Apache-2.0 */
/* The hub's API: who asks, and what for.  hub-openapi.json describes it. */
#pragma once

#include "hub/hub.h"

typedef struct ApiRoute {
	const char *method;
	const char *path; /* a segment "*" stands for any one */
	enum { API_ANYONE, API_NODE, API_FLEET, API_OPERATOR } who;
	unsigned status; /* if it went well */
	Handler *handle;
	Receiver *receive; /* NULL: the body is JSON */
} ApiRoute;

/* Ends with an empty one. */
extern const ApiRoute api_routes[];

/* Of an HttpService whose data is the hub. */
void api_begin(HttpCall *call, void *data);
void api_handle(HttpCall *call, void *data);
void api_peer_free(void *peer);
