/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/print.h"
#include "cli/verb.h"
#include "fleet/simulate.h"

#define SEEDS_MAX 10000000
#define NODES_MAX 100000

/* Of all seeds together. */
typedef struct Totals {
	int64_t seeds, steps, actions, crashes, refused;
	int64_t decide_max_us, decide_sum_us;
	int64_t begin_us;
	int64_t states[ROLLOUT_STATES];
	int64_t done, failed, skipped, nodes;
} Totals;

static int number_parse(const VerbArguments *arguments, const char *name, uint64_t low,
			uint64_t high, uint64_t *value, Error *err)
{
	const char *text = verb_option(arguments, name);
	unsigned long long parsed;
	char *end;

	if (!text)
		return 0;
	errno = 0;
	parsed = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || parsed < low || parsed > high)
		return error_set(err, -EINVAL,
				 "--%s: \"%s\" is not a number from %" PRIu64 " to %" PRIu64, name,
				 text, low, high);
	*value = parsed;
	return 0;
}

static void totals_add(Totals *totals, const SimulateResult *result)
{
	totals->seeds++;
	totals->steps += result->steps;
	totals->actions += result->actions;
	totals->crashes += result->crashes;
	totals->refused += !result->started;
	totals->states[result->state] += result->started;
	totals->done += result->done;
	totals->failed += result->failed;
	totals->skipped += result->skipped;
	totals->nodes += result->ends;
	totals->decide_sum_us += result->decide_sum_us;
	if (result->decide_max_us > totals->decide_max_us)
		totals->decide_max_us = result->decide_max_us;
}

static json_object *totals_json(const Totals *totals)
{
	json_object *o = json_object_new_object(), *states = json_object_new_object();

	json_put_int(o, "seeds", totals->seeds);
	json_put_int(o, "steps", totals->steps);
	json_put_int(o, "actions", totals->actions);
	json_put_int(o, "crashes", totals->crashes);
	json_put_int(o, "decide_max_us", totals->decide_max_us);
	json_put_int(o, "decide_mean_us", totals->decide_sum_us / (totals->steps + 1));
	json_put_int(o, "took_us", clock_monotonic_us() - totals->begin_us);
	for (int i = 0; i < ROLLOUT_STATES; i++)
		if (rollout_states[i].ended)
			json_put_int(states, rollout_states[i].name, totals->states[i]);
	json_put_int(states, "refused", totals->refused);
	(void)json_object_object_add(o, "rollouts", states);
	json_put_int(o, "nodes", totals->nodes);
	json_put_int(o, "nodes_done", totals->done);
	json_put_int(o, "nodes_failed", totals->failed);
	json_put_int(o, "nodes_skipped", totals->skipped);
	return o;
}

static void print_totals(const Totals *totals)
{
	static const PrintColumn columns[] = {
		{"SEEDS", PRINT_RIGHT},   {"STEPS", PRINT_RIGHT},
		{"ACTIONS", PRINT_RIGHT}, {"CRASHES", PRINT_RIGHT},
		{"DONE", PRINT_RIGHT},    {"STOPPED", PRINT_RIGHT},
		{"ABORTED", PRINT_RIGHT}, {"LONGEST DECISION", PRINT_RIGHT},
		{"TOOK", PRINT_RIGHT},
	};
	const PrintText texts[] = {
		print_number(totals->seeds),
		print_number(totals->steps),
		print_number(totals->actions),
		print_number(totals->crashes),
		print_number(totals->states[ROLLOUT_DONE]),
		print_number(totals->states[ROLLOUT_STOPPED]),
		print_number(totals->states[ROLLOUT_ABORTED]),
		print_duration(totals->decide_max_us),
		print_duration(clock_monotonic_us() - totals->begin_us),
	};
	const char *cells[sizeof(texts) / sizeof(texts[0])];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cells[i] = texts[i].text;
	print_table(columns, sizeof(texts) / sizeof(texts[0]), cells, 1);
	(void)printf("No invariant was broken\n");
}

static int tell_broken(const VerbArguments *arguments, const SimulateOptions *options,
		       const SimulateResult *result)
{
	_cleanup_json_ json_object *o = json_object_new_object();

	if (verb_option(arguments, "json")) {
		json_put_int(o, "seed", (int64_t)options->seed);
		json_put_int(o, "step", result->broken_step);
		json_put_string(o, "broken", result->broken);
		json_put_string(o, "sentence", result->sentence);
		print_json(o);
	}
	(void)fprintf(stderr,
		      "segue: Seed %" PRIu64 " at step %" PRId64 " breaks \"%s\": %s; replay it "
		      "with: segue rollout simulate --nodes %d --crashes %u --seed %" PRIu64
		      " --trace\n",
		      options->seed, result->broken_step, result->broken, result->sentence,
		      options->nodes, options->crash_permille, options->seed);
	return STATUS_FAILED;
}

/* Decisions are measured by the processor: how busy the machine is otherwise does not count. */
static int64_t processor_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * SECOND_US + t.tv_nsec / 1000;
}

/* Standard output is one JSON object where that is asked for. */
static FILE *trace_stream(const VerbArguments *arguments)
{
	return verb_option(arguments, "json") ? stderr : stdout;
}

static int options_parse(const VerbArguments *arguments, SimulateOptions *options,
			 uint64_t *ret_seeds, Error *err)
{
	uint64_t seed = 1, seeds = 1, nodes = 200, crashes = 5;
	int r;

	if ((r = number_parse(arguments, "seed", 0, INT64_MAX, &seed, err)) < 0 ||
	    (r = number_parse(arguments, "seeds", 1, SEEDS_MAX, &seeds, err)) < 0 ||
	    (r = number_parse(arguments, "nodes", 4, NODES_MAX, &nodes, err)) < 0 ||
	    (r = number_parse(arguments, "crashes", 0, 1000, &crashes, err)) < 0)
		return r;
	*options = (SimulateOptions){
		.seed = seed,
		.nodes = (int)nodes,
		.crash_permille = (unsigned)crashes,
		.trace = verb_option(arguments, "trace") ? trace_stream(arguments) : NULL,
		.clock_us = processor_us,
	};
	*ret_seeds = seeds;
	return 0;
}

static int run(const VerbArguments *arguments)
{
	Totals totals = {.begin_us = clock_monotonic_us()};
	SimulateOptions options;
	uint64_t seeds;
	Error err = {0};

	if (options_parse(arguments, &options, &seeds, &err) < 0)
		return verb_usage("rollout simulate", "%s", err.text);
	for (uint64_t end = options.seed + seeds; options.seed < end; options.seed++) {
		SimulateResult result;

		if (simulate_run(&options, &result, &err) < 0)
			return verb_fail(&err);
		if (*result.broken)
			return tell_broken(arguments, &options, &result);
		totals_add(&totals, &result);
	}
	if (verb_option(arguments, "json")) {
		_cleanup_json_ json_object *o = totals_json(&totals);

		print_json(o);
	} else {
		print_totals(&totals);
	}
	return STATUS_DONE;
}

const Verb verb_rollout_simulate = {
	.name = "rollout simulate",
	.arguments = "",
	.summary = "Try rollouts on made-up fleets in virtual time",
	.options =
		(const VerbOption[]){
			{"seed", "N", "what to make up (default: 1)"},
			{"seeds", "COUNT", "that many seeds, one after the other (default: 1)"},
			{"nodes", "COUNT", "nodes of each fleet (default: 200)"},
			{"crashes", "N", "the coordinator crashes in N of 1000 steps (default: 5)"},
			{"trace", NULL, "print what happens"},
			{"json", NULL, "print JSON"},
			{0},
		},
	.run = run,
};
