/* SPDX-License-Identifier: Apache-2.0 */
/* A release goes from node to node, whatever happens on its way. */
#include "relay/relay.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "relay_fixture.h"

static void test_a_chain_that_loses_a_node(void **state)
{
	int64_t end;

	for (int i = 1; i < NODES; i++)
		node_start(i, LINK_RATE);
	for (int i = 1; i < NODES; i++)
		node_fetch(i, "r1", i - 1, i > 1 ? i - 2 : 0);
	run_until(is_halfway, &nodes[2]);
	/* It is passed on while it is being received. */
	assert_true(nodes[5].there > 0);
	node_stop(2);
	for (int i = 3; i < NODES; i++)
		nodes[i].mark = nodes[i].there;
	end = clock_monotonic_us() + REPLACED_US;
	for (int i = 3; i < NODES; i++)
		run_until_end(has_gone_on, &nodes[i], end);
	for (int i = 1; i < NODES; i++)
		if (i != 2) {
			run_until(is_done, &nodes[i]);
			assert_whole(i, "r1");
			assert_int_equal(nodes[i].again, 0);
		}
	/* Only who had it for a parent leaves one. */
	for (int i = 1; i < NODES; i++)
		if (i != 2 && nodes[i].left != (i == 3))
			fail_msg("Node %d left %d parents: %s", i, nodes[i].left, nodes[i].why);
}

static void test_who_comes_back_goes_on(void **state)
{
	node_start(1, LINK_RATE);
	node_fetch(1, "r1", 0, 0);
	run_until(is_halfway, &nodes[1]);
	node_stop(1);
	node_start(1, LINK_RATE);
	node_fetch(1, "r1", 0, 0);
	run_until(is_done, &nodes[1]);
	assert_whole(1, "r1");
	assert_true(relay_totals(nodes[0].relay).sent < COPY * 13 / 10);
}

static void test_who_joins_late_catches_up(void **state)
{
	node_start(1, LINK_RATE);
	node_start(2, 2 * LINK_RATE);
	node_fetch(1, "r1", HUB, HUB);
	run_until(is_halfway, &nodes[1]);
	node_fetch(2, "r1", 1, HUB);
	for (int i = 1; i <= 2; i++) {
		run_until(is_done, &nodes[i]);
		assert_whole(i, "r1");
		assert_int_equal(nodes[i].left, 0);
	}
	/* The hub has nothing to do with it. */
	assert_true(relay_totals(nodes[HUB].relay).sent < COPY * 11 / 10);
}

static void test_same_content_is_not_sent_twice(void **state)
{
	int64_t sent;

	node_start(1, 0);
	node_fetch(1, "r1", 0, 0);
	run_until(is_done, &nodes[1]);
	sent = relay_totals(nodes[0].relay).sent;
	release_make("r2", 2);
	node_fetch(1, "r2", 0, 0);
	run_until(is_done, &nodes[1]);
	assert_whole(1, "r2");
	sent = relay_totals(nodes[0].relay).sent - sent;
	assert_in_range(sent, FILE_SIZE, FILE_SIZE * 11 / 10);
}

static void test_a_full_disk(void **state)
{
	struct rlimit before, small;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){FILE_SIZE / 2, before.rlim_max};
	for (int i = 1; i <= 2; i++) {
		node_start(i, LINK_RATE);
		node_fetch(i, "r1", i - 1, HUB);
	}
	/* Of the second file, chunks after the first half cannot be written. */
	run_until(is_halfway, &nodes[2]);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	run_until(has_trouble, &nodes[1]);
	/* Who waits for it goes elsewhere. */
	run_until_end(has_left, &nodes[2], clock_monotonic_us() + REPLACED_US);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(nodes[1].why, "Writing modules.tar.zst of release r1"));
	assert_int_equal(nodes[1].troubles, 1);
	assert_false(nodes[1].done);
	for (int i = 1; i <= 2; i++) {
		run_until(is_done, &nodes[i]);
		assert_whole(i, "r1");
		assert_int_equal(nodes[i].left, i - 1);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fleet_make, fleet_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_chain_that_loses_a_node),
		TEST(test_who_comes_back_goes_on),
		TEST(test_who_joins_late_catches_up),
		TEST(test_same_content_is_not_sent_twice),
		TEST(test_a_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
