/* SPDX-License-Identifier: Apache-2.0 */
/* A node of a hub that is a process of its own: its files, its segued, and its link, which is a
 * process too. */
#pragma once

#include <sys/types.h>

#include "base/config.h"
#include "hub_fixture.h"
#include "link/config.h"
#include "release/digest.h"
#include "segued_fake.h"

typedef struct Node {
	HubFixture *hub;
	char directory[48], config[64], status[64], socket[64];
	LinkConfig node;
	Config policy;
	char address[16]; /* of the node; "": any */
	int64_t size_max; /* of a file that its processes write, as on a full disk; 0: any */
	SeguedFake segued;
	pid_t link; /* 0: it does not run */
} Node;

/* The test fails if one cannot be made. */
Node *node_new(HubFixture *hub, const char *name);
Node *node_joined(HubFixture *hub, const char *name);

/* Also kills its link. */
void node_free(Node *node);

/* As join_enrol(). */
int node_join(const Node *node, const char *token, const char *authority, const Digest *fingerprint,
	      Error *err);

/* Starts its link, which asks for the next certificate so long after this one began; 0: when a link
 * does. */
void link_start(Node *node, int64_t renew_after_s);

/* As at any moment: without a chance to say anything. */
void link_kill(Node *node);

/* Waits until it ends by itself: its exit status, 77 if the hub has refused it. */
int link_wait(Node *node);

typedef bool Condition(Node *node, const char *what);

/* Waits until it is so; the test fails if it does not come to that. */
void await(Condition *condition, Node *node, const char *what);

/* What the hub tells of the node has this in it. */
Condition hub_says;

/* The link tells that its state is this. */
Condition link_says;

/* What the link tells: {"state", "message", ...}.  The caller puts it. */
json_object *link_told(const Node *node);

/* The node's certificate, PEM; the caller frees it. */
char *node_certificate(const Node *node);

/* It is another than this one. */
Condition certificate_is_another;
