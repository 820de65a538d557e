/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An order to fetch a release: its document comes from the hub and is judged by whom this node
 * trusts, its content comes through the relay, from other nodes and from the hub.
 *
 * Nothing of the order is on the disk: until it is over the hub gives it again, and what came of
 * the release stays.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "link/relay.h"
#include "link/session.h"
#include "release/manifest.h"

typedef struct LinkFetchSetup {
	const char *program;   /* segue-relay; path */
	const char *directory; /* of the link */
	const char *trust;     /* directory with "trust", as in a depot: who may sign */
	const char *address;   /* where the relay serves; NULL: everywhere */
	const char *socket;    /* of segued */
	const Config *policy;  /* of this machine */
	/* A release has come, and is remembered; the hub is not told yet.  It may come again. */
	void (*came)(const Manifest *manifest, void *data);
	void *data;
	int64_t quiet_ms; /* without anything coming until the order has failed */
} LinkFetchSetup;

typedef struct LinkFetch {
	LinkFetchSetup setup;
	LinkRelay relay;
	int64_t order; /* 0: none */
	char hub[256]; /* that has given it, and is one of those it comes from */
	Manifest *manifest;
	json_object *command; /* for the relay */
	int starts;           /* of the relay for this order */
	bool is_rejected;     /* by the relay */
	int64_t moved_us;     /* when something came last */
	int64_t told_us;      /* when the hub was told last */
	int64_t there, chunks;
	char why[512]; /* what stood in the way last; "": nothing */
	char state[8]; /* "done" or "failed"; "": not over */
	char message[1024];
} LinkFetch;

bool link_fetch_is_given(json_object *order);

/* What the relay is to be told for an order, its document aside, which is then the relay's to
 * check; `hub` is the hub's address.  The caller puts the command.  -EINVAL; *ret_id is the order's
 * number even so, or 0 if there is none. */
int link_fetch_take(json_object *given, const char *hub, int64_t *ret_id, json_object **ret_command,
		    Error *err);

/* Takes an order, and tells the hub.  Errors are those of the connection to the hub, which gives
 * the order again. */
int link_fetch_begin(LinkFetch *fetch, Session *session, json_object *given, Error *err);

/* Starts the relay if this node trusts somebody to sign releases, so that others find it when they
 * all get their orders. */
void link_fetch_prepare(LinkFetch *fetch, Session *session);

/* Goes on for a moment, without the hub, whose silence is nothing that the order fails of; false:
 * there is no order, or it is over. */
bool link_fetch_listen(LinkFetch *fetch, Session *session);

/* Goes on for a moment, and tells the hub.  As link_fetch_begin(). */
int link_fetch_follow(LinkFetch *fetch, Session *session, Error *err);

/* The relay is to begin anew, with the certificate that there is now. */
void link_fetch_renew(LinkFetch *fetch);

void link_fetch_release(LinkFetch *fetch);
