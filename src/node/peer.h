/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at the other end of a unix socket, and what that one may ask for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/config.h"
#include "base/error.h"

typedef struct Permit {
	gid_t group;
	unsigned verbs; /* bits 1 << ConfigVerb */
} Permit;

/* The user of the link to a hub, and what an order of the hub needs. */
#define PEER_LINK_USER "segue-link"
#define PEER_LINK_VERBS                                                                            \
	(1U << CONFIG_VERB_STATUS | 1U << CONFIG_VERB_LIST | 1U << CONFIG_VERB_LOG |               \
	 1U << CONFIG_VERB_CHECK | 1U << CONFIG_VERB_SWAP)

typedef struct Permits {
	Permit *list; /* one for each group */
	size_t n;
	uid_t link; /* 0: there is no such user */
} Permits;

/* What Group= and Allow= grant, and the link.  They are looked up here, once: who asks later must
 * not make segued wait for a directory service.  A group that there is not gets nothing, and a line
 * on standard error. */
int permits_load(const Config *config, Permits *ret, Error *err);
void permits_release(Permits *permits);
#define _cleanup_permits_ _cleanup_(permits_release)

/* The verbs that the peer of `fd` may ask for, as of the moment in which it connected: root all. */
int peer_verbs(int fd, const Permits *permits, unsigned *ret_verbs, Error *err);
