/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the order of src/fleet/relay_order.c for bench/relay: a line a node and stripe with its
 * parents, -1 for the hub.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "fleet/relay_order.h"

static int order_print(int n, int racks, Error *err)
{
	_cleanup_free_ RelayNode *nodes = calloc((size_t)n, sizeof(*nodes));
	_cleanup_free_ RelayPlace *order = calloc((size_t)n, sizeof(*order));
	int stripes = relay_stripes((size_t)n), r;

	if (!nodes || !order)
		return error_errno(err, -ENOMEM, "Ordering %d nodes", n);
	for (int i = 0; i < n; i++)
		nodes[i].rack = i % racks;
	r = relay_order(nodes, (size_t)n, stripes, order, err);
	for (int i = 0; r == 0 && i < n; i++)
		for (int s = 0; s < stripes; s++) {
			(void)printf("%d %d", i, s);
			for (int j = 0; j < order[i].n_parents[s]; j++)
				(void)printf(" %d", order[i].parents[s][j]);
			(void)printf("\n");
		}
	return r;
}

int main(int argc, char **argv)
{
	Error err = {0};
	long n = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
	long racks = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	int r = n > 0 && n < 100000 && racks > 0 && racks < 100000
			? order_print((int)n, (int)racks, &err)
			: error_set(&err, -EINVAL, "Usage: relay-order NODES RACKS");

	if (r < 0)
		(void)fprintf(stderr, "relay-order: %s\n", err.text);
	return r < 0;
}
