/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets a release from whom. */
#include "fleet/relay_order.h"

#include <stdbool.h>
#include <string.h>

#include "test.h"

#define MOST 3000

static RelayNode nodes[MOST];
static RelayPlace places[MOST];

static void order(size_t n, int racks, int stripes)
{
	for (size_t i = 0; i < n; i++)
		nodes[i] = (RelayNode){.rack = (int)(i * 7 % (size_t)racks)};
	assert_int_equal(relay_order(nodes, n, stripes, places, NULL), 0);
}

/* Hops to the hub, if everybody takes the parent of that rank; -1: in a circle. */
static int depth(size_t n, int stripe, int node)
{
	int hops = 0;

	while (node != RELAY_HUB && hops <= (int)n) {
		node = places[node].parents[stripe][0];
		hops++;
	}
	return node == RELAY_HUB ? hops : -1;
}

static int log2_of(size_t n)
{
	int log = 0;

	while ((size_t)1 << log < n)
		log++;
	return log;
}

/* The hub sends each stripe once; a node at most as much as it receives. */
static void assert_fair(size_t n, int stripes)
{
	static int children[MOST];
	int of_hub = 0;

	memset(children, 0, sizeof(children));
	for (size_t i = 0; i < n; i++)
		for (int s = 0; s < stripes; s++) {
			int parent = places[i].parents[s][0];

			assert_true(places[i].n_parents[s] >= 1);
			assert_int_equal(places[i].parents[s][places[i].n_parents[s] - 1],
					 RELAY_HUB);
			of_hub += parent == RELAY_HUB;
			if (parent != RELAY_HUB)
				children[parent]++;
		}
	assert_int_equal(of_hub, n > 0 ? stripes : 0);
	for (size_t i = 0; i < n; i++)
		assert_true(children[i] <= stripes);
}

static void test_chain(void **state)
{
	for (size_t n = 0; n < 60; n++) {
		order(n, 4, 1);
		assert_fair(n, 1);
		for (size_t i = 0; i < n; i++)
			assert_true(depth(n, 0, (int)i) > 0);
	}
}

static void test_trees(void **state)
{
	for (size_t n = 1; n < 400; n++) {
		order(n, 1 + (int)(n % 9), 2);
		assert_fair(n, 2);
		for (size_t i = 0; i < n; i++)
			for (int s = 0; s < 2; s++) {
				int hops = depth(n, s, (int)i);

				if (hops < 0 || hops > 2 * log2_of(n) + 2)
					fail_msg("node %zu of %zu is %d hops away", i, n, hops);
			}
	}
}

/* Little more than one copy of a stripe goes to each rack. */
static void test_racks(void **state)
{
	const int racks = 40;

	for (int stripes = 1; stripes <= 2; stripes++) {
		int between = 0;

		order(2000, racks, stripes);
		for (size_t i = 0; i < 2000; i++)
			for (int s = 0; s < stripes; s++) {
				int parent = places[i].parents[s][0];

				between +=
					parent != RELAY_HUB && nodes[parent].rack != nodes[i].rack;
			}
		if (between > 3 * racks * stripes)
			fail_msg("%d of the hops are between racks", between);
	}
}

/* One node is lost: its children go to different nodes that have room, and nobody in a circle. */
static void test_second_parents(void **state)
{
	const size_t n = 300;

	order(n, 8, 2);
	for (size_t lost = 0; lost < n; lost++)
		for (int s = 0; s < 2; s++) {
			int taken[RELAY_PARENTS_MAX], n_taken = 0;

			for (size_t i = 0; i < n; i++) {
				int second, hops = 0;

				if (places[i].parents[s][0] != (int)lost)
					continue;
				second = places[i].parents[s][1];
				assert_true(second != (int)lost);
				for (int at = second; at != RELAY_HUB; hops++) {
					assert_true(at != (int)i && hops <= (int)n);
					/* It may itself be one of those that were lost with it. */
					at = places[at].parents[s][0] == (int)lost
						     ? places[at].parents[s][1]
						     : places[at].parents[s][0];
				}
				taken[n_taken++] = second;
			}
			assert_true(n_taken <= 2);
			if (n_taken == 2 && taken[0] != RELAY_HUB)
				assert_true(taken[0] != taken[1]);
		}
}

static void test_slow_and_dead(void **state)
{
	const size_t n = 500;

	for (int stripes = 1; stripes <= 2; stripes++) {
		static int children[MOST];

		memset(children, 0, sizeof(children));
		for (size_t i = 0; i < n; i++)
			nodes[i] = (RelayNode){
				.rack = (int)(i / 20),
				.health = i % 50 == 3   ? RELAY_DEAD
					  : i % 20 == 7 ? RELAY_SLOW
							: RELAY_GOOD,
			};
		assert_int_equal(relay_order(nodes, n, stripes, places, NULL), 0);
		for (size_t i = 0; i < n; i++)
			for (int s = 0; s < stripes; s++) {
				const RelayPlace *place = &places[i];

				assert_int_equal(place->n_parents[s] == 0,
						 nodes[i].health == RELAY_DEAD);
				for (int j = 0; j + 1 < place->n_parents[s]; j++)
					assert_int_equal(nodes[place->parents[s][j]].health,
							 RELAY_GOOD);
				if (place->n_parents[s] > 0 && place->parents[s][0] != RELAY_HUB)
					children[place->parents[s][0]]++;
			}
		for (size_t i = 0; i < n; i++)
			assert_true(children[i] <= stripes + 2);
	}
}

static void test_patience(void **state)
{
	assert_int_equal(relay_patience_us(0), 100000);
	assert_int_equal(relay_patience_us(4000000), 500000);
	assert_int_equal(relay_patience_us(INT64_MAX), 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain),         cmocka_unit_test(test_trees),
		cmocka_unit_test(test_racks),         cmocka_unit_test(test_second_parents),
		cmocka_unit_test(test_slow_and_dead), cmocka_unit_test(test_patience),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
