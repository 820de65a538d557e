/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/scenario.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define MINUTE (60 * SECOND_US)

const char *const event_names[EVENTS] = {
	[EVENT_PAUSE] = "pause",       [EVENT_RESUME] = "resume", [EVENT_ABORT] = "abort",
	[EVENT_WITHDRAW] = "withdraw", [EVENT_START] = "start",   [EVENT_BLOCK] = "block",
	[EVENT_UNBLOCK] = "unblock",   [EVENT_REMOVE] = "remove", [EVENT_ADD] = "add",
	[EVENT_LOCK] = "lock",         [EVENT_UNLOCK] = "unlock", [EVENT_DIE] = "die",
	[EVENT_REVIVE] = "revive",     [EVENT_SICKEN] = "sicken", [EVENT_HEAL] = "heal",
	[EVENT_CLOCK] = "clock",       [EVENT_OUTAGE] = "outage",
};

int scenario_group(const Scenario *scenario, int node)
{
	return node % scenario->n_groups;
}

void scenario_node_name(int node, char *buffer, size_t size)
{
	(void)snprintf(buffer, size, "node%d", node);
}

static void label_put(json_object *labels, const char *key, int value)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", value);
	json_put_string(labels, key, text);
}

json_object *scenario_fleet(const Scenario *scenario, int n)
{
	json_object *fleet = json_object_new_object(), *nodes = json_object_new_array();

	for (int i = 0; i < n; i++) {
		json_object *node = json_object_new_object(), *labels = json_object_new_object();
		char name[24], group[24];

		scenario_node_name(i, name, sizeof(name));
		(void)snprintf(group, sizeof(group), "group%d", scenario_group(scenario, i));
		json_put_string(node, "name", name);
		json_put_string(node, "group", group);
		json_put_string(node, "release", "old");
		label_put(labels, "rack", i / scenario->rack_size);
		label_put(labels, "shard", i / 2);
		(void)json_object_object_add(node, "labels", labels);
		(void)json_object_array_add(nodes, node);
	}
	(void)json_object_object_add(fleet, "nodes", nodes);
	return fleet;
}

/* ---- the policy ---- */

/* A limit that lets at least one node go, and a large fleet get through in reasonable time. */
static Limit draw_limit(Random *random, int n, int at_least)
{
	if (random_chance(random, 400)) {
		int low = n < 100 ? 100 / (n > 0 ? n : 1) + 1 : 5;

		return (Limit){LIMIT_PERCENT, (int)random_between(random, low > 100 ? 100 : low,
								  low < 70 ? low + 30 : 100)};
	}
	return (Limit){LIMIT_COUNT, (int)random_between(random, at_least, at_least + n / 8)};
}

static int draw_ties(const Scenario *scenario, Random *random, Policy *policy, Error *err)
{
	int n = scenario->n_first, r = 0;
	char text[128];

	for (int i = 0; r == 0 && random_chance(random, 500) && i < 1 + n / 20; i++) {
		int first = (int)random_between(random, 0, n - 2);

		(void)snprintf(text, sizeof(text), "node%d,node%d", first, first + 1);
		r = text_list_add(&policy->ties.pairs, text, err);
	}
	for (int i = 0; r == 0 && n >= 8 && random_chance(random, 500) && i < 1 + n / 40; i++) {
		int first = (int)random_between(random, 0, n - 5);

		(void)snprintf(text, sizeof(text), "node%d,node%d,node%d", first, first + 1,
			       first + 2);
		r = text_list_add(&policy->ties.quorums, text, err);
	}
	if (r == 0 && random_chance(random, 200))
		r = text_list_add(&policy->ties.apart, "rack", err);
	if (r == 0 && random_chance(random, 200))
		r = text_list_add(&policy->ties.pair_by, "shard", err);
	return r;
}

static void draw_times(Random *random, Policy *policy)
{
	policy->times_us[TIME_STAGE] = 10 * MINUTE;
	policy->times_us[TIME_SWAP] = 8 * MINUTE;
	policy->times_us[TIME_VERIFY] = 5 * MINUTE;
	policy->times_us[TIME_PATIENCE] = 40 * MINUTE;
	policy->times_us[TIME_SOAK] =
		random_chance(random, 200) ? 0 : random_between(random, 1, 10) * MINUTE;
}

static int policy_draw(const Scenario *scenario, Random *random, const char *release,
		       Policy *policy, Error *err)
{
	int n = scenario->n_first, group = n / scenario->n_groups, r = policy_init(policy, err);

	if (r < 0 || (r = policy_set(policy, "release", release, err)) < 0)
		return r;
	draw_times(random, policy);
	policy->limits.by[LIMIT_UNAVAILABLE] = draw_limit(random, group, 1 + group / 25);
	if (random_chance(random, 300))
		policy->limits.by[LIMIT_CHANGING] = draw_limit(random, group, 1 + group / 25);
	if (random_chance(random, 300))
		policy->limits.by[LIMIT_UNHEALTHY] = draw_limit(random, group, 1);
	if (random_chance(random, 300))
		policy->limits.by[LIMIT_UNHEALTHY_AFTER] = draw_limit(random, group, 1);
	policy->max_failed = (Limit){LIMIT_COUNT, (int)random_between(random, 0, n / 8)};
	policy->canaries = (int)random_between(random, 0, 4);
	if (random_chance(random, 700))
		policy->wave =
			(Limit){LIMIT_COUNT, (int)random_between(random, 1 + n / 20, 1 + n / 5)};
	policy->growth_percent = (int)random_between(random, 100, 300);
	policy->gate_before = random_chance(random, 400);
	policy->gate_after = random_chance(random, 400);
	policy->drain = random_chance(random, 600);
	policy->send_back = random_chance(random, 500);
	policy->return_failed = random_chance(random, 700);
	policy->mode = random_chance(random, 300) ? MODE_AUTO : MODE_IN_PLACE;
	if (random_chance(random, 100))
		r = policy_set(policy, "window", "09:00-15:00", err);
	return r < 0 ? r : draw_ties(scenario, random, policy, err);
}

/* Everything together, and nothing that forbids that. */
static int policy_draw_at_once(Random *random, Policy *policy, Error *err)
{
	policy_release(policy);
	if (policy_init(policy, err) < 0 || policy_set(policy, "release", "new0", err) < 0)
		return -ENOMEM;
	draw_times(random, policy);
	policy->all_at_once = true;
	policy->drain = random_chance(random, 500);
	policy->gate_before = random_chance(random, 500);
	policy->min_ready_percent = (int)random_between(random, 50, 100);
	policy->max_failed = (Limit){LIMIT_PERCENT, (int)random_between(random, 0, 100)};
	policy->send_back = random_chance(random, 500);
	return 0;
}

/* ---- what happens ---- */

static void event_add(Scenario *scenario, int64_t at_us, EventKind kind, int node, int64_t amount)
{
	scenario->events[scenario->n_events++] = (Event){at_us, kind, node, amount};
}

/* Something that comes to an end later: died and revived, blocked and unblocked. */
static void pair_add(Scenario *scenario, Random *random, EventKind begin, EventKind end)
{
	int node = (int)random_between(random, 0, scenario->n_first - 1);
	int64_t at = random_between(random, 0, 120) * MINUTE;

	event_add(scenario, at, begin, node, 0);
	/* What is not mended within the rollout's patience is passed over. */
	event_add(scenario, at + random_between(random, 1, 90) * MINUTE, end, node, 0);
}

static void draw_misfortunes(Scenario *scenario, Random *random)
{
	int n = scenario->n_first;

	for (int i = (int)random_between(random, 0, 2 + n / 40); i > 0; i--)
		pair_add(scenario, random, EVENT_DIE, EVENT_REVIVE);
	for (int i = (int)random_between(random, 0, 2 + n / 40); i > 0; i--)
		pair_add(scenario, random, EVENT_SICKEN, EVENT_HEAL);
	for (int i = (int)random_between(random, 0, 2); i > 0; i--)
		pair_add(scenario, random, EVENT_BLOCK, EVENT_UNBLOCK);
	for (int i = (int)random_between(random, 0, 2); i > 0; i--)
		pair_add(scenario, random, EVENT_REMOVE, EVENT_ADD);
	for (int i = (int)random_between(random, 0, 6); i > 0; i--)
		pair_add(scenario, random, EVENT_LOCK, EVENT_UNLOCK);
	for (int i = scenario->n_first; i < scenario->n_nodes; i++)
		event_add(scenario, random_between(random, 0, 90) * MINUTE, EVENT_ADD, i, 0);
	if (random_chance(random, 300))
		event_add(scenario, random_between(random, 0, 90) * MINUTE, EVENT_CLOCK, 0,
			  random_between(random, -600, 600) * MINUTE);
	if (random_chance(random, 300))
		event_add(scenario, random_between(random, 0, 90) * MINUTE, EVENT_OUTAGE, 0,
			  random_between(random, 1, 30) * MINUTE);
}

static void draw_wishes(Scenario *scenario, Random *random)
{
	if (random_chance(random, 200)) {
		int64_t at = random_between(random, 0, 60) * MINUTE;

		event_add(scenario, at, EVENT_PAUSE, 0, 0);
		event_add(scenario, at + random_between(random, 1, 60) * MINUTE, EVENT_RESUME, 0,
			  0);
	}
	if (random_chance(random, 50))
		event_add(scenario, random_between(random, 1, 90) * MINUTE, EVENT_ABORT, 0,
			  random_chance(random, 500));
	if (random_chance(random, 50))
		event_add(scenario, random_between(random, 1, 90) * MINUTE, EVENT_WITHDRAW, 0, 0);
	if (scenario->has_second)
		event_add(scenario, random_between(random, 1, 60) * MINUTE, EVENT_START, 1, 0);
}

static int compare_events(const void *a, const void *b)
{
	const Event *left = a, *right = b;

	return left->at_us != right->at_us ? (left->at_us > right->at_us) * 2 - 1
					   : (int)left->kind - (int)right->kind;
}

/* A release may be good, middling or bad; so may the fleet that it meets. */
static void draw_odds(Scenario *scenario, Random *random)
{
	unsigned bad = random_chance(random, 150) ? 300 : random_chance(random, 400) ? 20 : 0;

	scenario->odds = (Odds){
		.stage_refused = random_chance(random, 300) ? 50 : 0,
		.not_carried = random_chance(random, 300) ? 200 : 0,
		.gate_fails = random_chance(random, 300) ? 100 : 0,
		.hook_fails = random_chance(random, 200) ? 20 : 0,
		.swap_fails = bad / 2,
		.swap_returns = bad,
		.swap_hangs = bad / 4,
		.swap_kills = bad / 4,
		.unhealthy_after = bad / 2,
		.slow_health = 50,
		.told_twice = 50,
	};
	scenario->swap_us = random_between(random, 20, 120) * SECOND_US;
	scenario->health_us = random_between(random, 5, 60) * SECOND_US;
	scenario->hook_us = random_between(random, 2, 30) * SECOND_US;
}

static void layout_draw(Scenario *scenario, Random *random, int n_nodes)
{
	scenario->n_first = n_nodes;
	scenario->n_nodes = n_nodes + (int)random_between(random, 0, 2);
	scenario->n_groups = (int)random_between(random, 1, n_nodes < 12 ? 2 : 4);
	scenario->rack_size = n_nodes / (int)random_between(random, 2, 6) + 1;
	/* 2026-11-22, at some hour. */
	scenario->begin_us = (1795305600 + random_between(random, 0, 86400)) * SECOND_US;
}

static int policies_draw(Scenario *scenario, Random *random, Error *err)
{
	int r = policy_draw(scenario, random, "new0", &scenario->policies[0], err);

	scenario->has_second = random_chance(random, 200);
	if (r == 0)
		r = policy_draw(scenario, random, "new1", &scenario->policies[1], err);
	scenario->policies[1].priority = 1;
	if (r == 0 && random_chance(random, 80)) {
		scenario->has_second = false;
		r = policy_draw_at_once(random, &scenario->policies[0], err);
	}
	return r;
}

int scenario_make(uint64_t seed, int n_nodes, Scenario *ret, Error *err)
{
	_cleanup_scenario_ Scenario scenario = {.seed = seed};
	Random random = {.state = seed};
	int r;

	layout_draw(&scenario, &random, n_nodes);
	r = policies_draw(&scenario, &random, err);
	if (r < 0)
		return r;
	draw_odds(&scenario, &random);
	scenario.world = random_split(&random);
	scenario.fleet = scenario_fleet(&scenario, n_nodes);
	scenario.events = calloc((size_t)n_nodes + 100, sizeof(*scenario.events));
	if (!scenario.events || !scenario.fleet)
		return error_errno(err, -ENOMEM, "Making a scenario");
	draw_misfortunes(&scenario, &random);
	draw_wishes(&scenario, &random);
	qsort(scenario.events, scenario.n_events, sizeof(Event), compare_events);
	*ret = scenario;
	scenario = (Scenario){0};
	return 0;
}

void scenario_release(Scenario *scenario)
{
	for (int i = 0; i < SCENARIO_ROLLOUTS; i++)
		policy_release(&scenario->policies[i]);
	(void)json_object_put(scenario->fleet);
	free(scenario->events);
	*scenario = (Scenario){0};
}
