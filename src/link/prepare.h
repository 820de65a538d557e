/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes before the swap of an order: the kernel of its release is installed, and if it is only
 * to be staged, a swap is checked.  Either takes minutes on a slow machine, so a child waits for
 * it, and the hub goes on hearing of this node.
 */
#pragma once

#include "base/error.h"
#include "base/worker.h"
#include "link/order.h"

typedef struct Prepare {
	Worker worker;
} Prepare;

/*
 * Begins it, or goes on with it for `ms`.  1: it is done, and the order's kernel is known; 0: it is
 * not; else why it cannot be.  Who was interrupted begins anew: what was done is not done twice.
 */
int prepare_follow(Prepare *prepare, const char *socket, LinkOrder *order, int ms, Error *err);

/* Leaves it. */
void prepare_end(Prepare *prepare);
