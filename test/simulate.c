/* SPDX-License-Identifier: Apache-2.0 */
/* Rollouts in virtual time: many small fleets, every invariant, and proof that each can fail. */
#include "fleet/simulate.h"

#include <inttypes.h>
#include <string.h>

#include "test.h"

static SimulateResult simulated(SimulateOptions options)
{
	SimulateResult result = {0};
	Error err = {0};

	if (simulate_run(&options, &result, &err) < 0)
		fail_msg("seed %" PRIu64 ": %s", options.seed, err.text);
	return result;
}

static void assert_kept(const SimulateOptions *options, const SimulateResult *result)
{
	if (*result->broken)
		fail_msg("%s: %s; segue rollout simulate --nodes %d --seed %" PRIu64
			 " --trace, step %" PRId64,
			 result->broken, result->sentence, options->nodes, options->seed,
			 result->broken_step);
}

static void test_many_seeds(void **state)
{
	for (uint64_t seed = 1; seed <= 1000; seed++) {
		SimulateOptions options = {.seed = seed, .nodes = 4 + (int)(seed % 12)};
		SimulateResult result = simulated(options);

		assert_kept(&options, &result);
	}
}

/* A node came back into a fleet whose others had gone all at once, and was waited for for ever. */
static void test_who_comes_late(void **state)
{
	SimulateOptions options = {.seed = 1163, .nodes = 200, .crash_permille = 5};
	SimulateResult result = simulated(options);

	assert_kept(&options, &result);
}

/* With crashes the coordinator asks for exactly the same, in the same order. */
static void test_crashes_change_nothing(void **state)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		SimulateOptions options = {.seed = seed, .nodes = 6};
		SimulateResult calm = simulated(options), shaken;

		options.crash_permille = 30;
		shaken = simulated(options);
		assert_kept(&options, &shaken);
		if (calm.digest != shaken.digest || calm.actions != shaken.actions)
			fail_msg("seed %" PRIu64 " goes another way when the coordinator crashes",
				 seed);
	}
}

static void test_crash_at_every_step(void **state)
{
	SimulateOptions options = {.seed = 7, .nodes = 5};
	SimulateResult calm = simulated(options);

	for (int64_t at = 0; at < calm.steps && at < 300; at++) {
		SimulateResult shaken;

		options.crash_always = true;
		options.crash_step = at;
		shaken = simulated(options);
		assert_kept(&options, &shaken);
		assert_true(calm.digest == shaken.digest);
	}
}

static const struct {
	const char *broken; /* what has to notice; NULL: any */
	Mutation mutation;
	unsigned crash_permille;
} mutations[] = {
	{"limits", MUTATE_LIMITS, 0},       {"pair", MUTATE_PAIRS, 0},
	{"quorum", MUTATE_QUORUMS, 0},      {"apart", MUTATE_APART, 0},
	{"threshold", MUTATE_THRESHOLD, 0}, {"canary", MUTATE_CANARIES, 0},
	{"window", MUTATE_WINDOWS, 0},      {"limits", MUTATE_HEALTH, 0},
	{"pause", MUTATE_PAUSE, 0},         {"withdrawn", MUTATE_WITHDRAW, 0},
	{"progress", MUTATE_STALL, 0},      {NULL, MUTATE_FORGET, 50},
	{"crash", MUTATE_LOSE, 50},         {"twice", MUTATE_RENUMBER, 50},
};

/* An engine that does not know better is caught, each time by what is there to catch it. */
static void test_invariants_can_fail(void **state)
{
	for (size_t i = 0; i < sizeof(mutations) / sizeof(mutations[0]); i++) {
		bool caught = false;

		for (uint64_t seed = 1; seed <= 400 && !caught; seed++) {
			SimulateResult result = simulated((SimulateOptions){
				.seed = seed,
				.nodes = 14,
				.mutation = mutations[i].mutation,
				.crash_permille = mutations[i].crash_permille,
			});

			caught = *result.broken && (!mutations[i].broken ||
						    !strcmp(result.broken, mutations[i].broken));
		}
		if (!caught)
			fail_msg("mutation %d is not caught by %s", mutations[i].mutation,
				 mutations[i].broken ? mutations[i].broken : "anything");
	}
}

static void test_random_is_the_same_everywhere(void **state)
{
	/* The first numbers of SplitMix64 for seed 0, as published. */
	Random random = {.state = 0};

	assert_true(random_next(&random) == 0xe220a8397b1dcdaf);
	assert_true(random_next(&random) == 0x6e789e6aa1b965f4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_seeds),
		cmocka_unit_test(test_who_comes_late),
		cmocka_unit_test(test_crashes_change_nothing),
		cmocka_unit_test(test_crash_at_every_step),
		cmocka_unit_test(test_invariants_can_fail),
		cmocka_unit_test(test_random_is_the_same_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
