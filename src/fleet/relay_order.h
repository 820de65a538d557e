/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gets a release from whom.
 *
 * A few nodes form a chain.  Many form two trees, each of which carries every other chunk: a node
 * passes on in one of them, to two others, and only receives in the other.  Either way a node's
 * uplink sends each byte about once, and the hub's too.  Nodes of one rack are neighbours.
 *
 * A node that loses a parent goes to the next of its list.  The second is where the lost one leaves
 * capacity free: for one of its children its own parent, for the other its parent in the other
 * tree.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define RELAY_STRIPES_MAX 2
#define RELAY_PARENTS_MAX 4
#define RELAY_CHAIN_MAX   32 /* with more nodes it is two trees */
#define RELAY_HUB         (-1)

typedef enum RelayHealth {
	RELAY_GOOD,
	RELAY_SLOW, /* gets the release, and passes nothing on */
	RELAY_DEAD, /* has no place */
} RelayHealth;

typedef struct RelayNode {
	int rack; /* any number; nodes with the same one are near each other */
	RelayHealth health;
} RelayNode;

typedef struct RelayPlace {
	/* Indices of nodes, or RELAY_HUB, which is the last of each list.  To be tried in order. */
	int parents[RELAY_STRIPES_MAX][RELAY_PARENTS_MAX];
	int n_parents[RELAY_STRIPES_MAX]; /* 0: the node is dead */
} RelayPlace;

/* How many stripes a transfer to so many nodes is cut into. */
int relay_stripes(size_t n);

/* Fills in a place for each of `n` nodes; `stripes` is 1 (a chain) or 2.  -ENOMEM. */
int relay_order(const RelayNode *nodes, size_t n, int stripes, RelayPlace *ret, Error *err);

/* How long a parent may be silent, or too slow, in a transfer that takes `expected_us` if nothing
 * happens: long enough for a busy machine, short enough to matter little. */
int64_t relay_patience_us(int64_t expected_us);
