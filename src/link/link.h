/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link of a node to its hub: waits for orders, has segued carry them out, and tells the hub
 * what became of them and how this machine is.
 */
#pragma once

#include <stdint.h>

#include "base/config.h"
#include "base/error.h"
#include "link/backoff.h"

typedef struct LinkOptions {
	const char *config;    /* paths: link.conf, */
	const char *directory; /* of key, certificate and order, */
	const char *status;    /* where it is told how the link is, */
	const char *socket;    /* and that of segued */
	const char *relay;     /* the program; NULL: this node fetches no releases */
	const char *trust;     /* who may sign them is in its directory "trust" */
	const Config *policy;  /* of this machine */
	const char *address;   /* of this machine, to reach the hub and others from; NULL: any */
	int64_t quiet_ms;      /* without anything of a release coming until its order has failed */
	Backoff backoff;
	int64_t look_ms;       /* between looks at this machine while waiting for orders */
	int64_t renew_after_s; /* after a certificate begins; 0: at half of its life */
} LinkOptions;

/*
 * Runs until link_stop(): 0.  A hub that cannot be reached is no error.  -EKEYREJECTED: the hub
 * does not take this machine as its node any more; others: there is no configuration, or it is
 * wrong.
 */
int link_run(const LinkOptions *options, Error *err);

/* May be called by a signal handler. */
void link_stop(void);
