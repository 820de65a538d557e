/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of nodes that wait for an order: at most one a node, found by the node in constant time.
 */
#pragma once

#include <systemd/sd-event.h>

#include "http/server.h"

#define WAIT_MAX_S 300

typedef struct Waits Waits;

/* What waited, when its time is over, or when another request of the same node takes its place:
 * must answer the call. */
typedef void WaitOver(HttpCall *call, void *data);

int waits_new(sd_event *event, WaitOver *over, void *data, Waits **ret, Error *err);
void waits_free(Waits *waits); /* none is left: see waits_end() */

/* `after`: what the node has asked for.  -ENOMEM. */
int waits_add(Waits *waits, int64_t node, HttpCall *call, int64_t after, unsigned limit_s,
	      Error *err);

/* The call that a node waits with, from now on the caller's to answer; NULL: it does not wait. */
HttpCall *waits_take(Waits *waits, int64_t node, int64_t *ret_after);

bool waits_has(const Waits *waits, int64_t node);
size_t waits_count(const Waits *waits);

/* It is over for all of them. */
void waits_end(Waits *waits);
