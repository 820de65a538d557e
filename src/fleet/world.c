/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/world.h"

#include <errno.h>

int world_make(const Scenario *scenario, World *ret, Error *err)
{
	World world = {.scenario = scenario, .random = scenario->world};

	world.nodes = calloc((size_t)scenario->n_nodes + 1, sizeof(*world.nodes));
	if (!world.nodes)
		return error_errno(err, -ENOMEM, "Making a world");
	for (int i = 0; i < scenario->n_first; i++)
		world.nodes[i].present = true;
	*ret = world;
	return 0;
}

void world_release(World *world)
{
	free(world->nodes);
	*world = (World){0};
}

const char *world_release_name(int release)
{
	static const char *const names[] = {"old", "new0", "new1"};

	return names[release];
}

bool world_silent(const WorldNode *node)
{
	return node->dead || node->locked || node->doing == ACTION_SWAP ||
	       node->doing == ACTION_RETURN;
}

bool world_healthy(const WorldNode *node, int64_t now_us)
{
	return !node->sick && !node->sick_here && now_us >= node->healthy_us;
}

static Outcome draw_outcome(World *world, ActionKind kind, bool reboot)
{
	const Odds *odds = &world->scenario->odds;
	Random *random = &world->random;

	switch (kind) {
	case ACTION_STAGE:
		if (!reboot && random_chance(random, odds->not_carried))
			return OUTCOME_NOT_CARRIED;
		return random_chance(random, odds->stage_refused) ? OUTCOME_FAILED : OUTCOME_OK;
	case ACTION_GATE_BEFORE:
	case ACTION_GATE_AFTER:
		return random_chance(random, odds->gate_fails) ? OUTCOME_FAILED : OUTCOME_OK;
	case ACTION_DRAIN:
	case ACTION_UNDRAIN:
		return random_chance(random, odds->hook_fails) ? OUTCOME_FAILED : OUTCOME_OK;
	case ACTION_SWAP:
		if (random_chance(random, odds->swap_returns))
			return OUTCOME_RETURNED;
		return random_chance(random, odds->swap_fails) ? OUTCOME_FAILED : OUTCOME_OK;
	default:
		return OUTCOME_OK;
	}
}

static int64_t draw_end(World *world, const Action *action, int64_t now_us)
{
	const Scenario *scenario = world->scenario;
	bool jump = action->kind == ACTION_SWAP || action->kind == ACTION_RETURN;

	if (action->kind == ACTION_SWAP && random_chance(&world->random, scenario->odds.swap_hangs))
		return INT64_MAX;
	return now_us +
	       random_duration(&world->random, jump ? scenario->swap_us : scenario->hook_us);
}

void world_ask(World *world, const Action *action, int64_t now_us)
{
	WorldNode *node = &world->nodes[action->node];

	if (node->dead || action->number < node->last)
		return;
	if (action->number == node->last) {
		node->told &= node->doing != ACTION_NONE; /* it tells again */
		return;
	}
	/* A jump that hangs is given up by whoever sends the next. */
	node->last = action->number;
	node->doing = action->kind;
	node->rollout = action->rollout;
	node->told = false;
	node->outcome = draw_outcome(world, action->kind, action->reboot);
	node->ends_us = draw_end(world, action, now_us);
	node->swaps[action->rollout] += action->kind == ACTION_SWAP;
}

static void jump_end(World *world, WorldNode *node)
{
	const Odds *odds = &world->scenario->odds;
	Random *random = &world->random;
	int64_t health = random_duration(random, world->scenario->health_us);

	if (random_chance(random, odds->slow_health))
		health *= 6;
	node->healthy_us = node->ends_us + health;
	if (node->outcome != OUTCOME_OK)
		return;
	node->before = node->release;
	node->release = node->rollout + 1;
	node->sick_here = random_chance(random, odds->unhealthy_after);
	/* It dies as it comes up; somebody revives it on the kernel that it is on. */
	node->dead = random_chance(random, odds->swap_kills);
}

static void action_end(World *world, WorldNode *node)
{
	switch (node->doing) {
	case ACTION_DRAIN:
		node->drained = true; /* or half of it */
		break;
	case ACTION_UNDRAIN:
		node->drained &= node->outcome != OUTCOME_OK;
		break;
	case ACTION_SWAP:
		jump_end(world, node);
		break;
	case ACTION_RETURN:
		node->release = node->before;
		node->sick_here = false;
		node->healthy_us = node->ends_us + world->scenario->health_us;
		break;
	default:
		break;
	}
	node->doing = ACTION_NONE;
}

void world_advance(World *world, int64_t now_us)
{
	for (int i = 0; i < world->scenario->n_nodes; i++) {
		WorldNode *node = &world->nodes[i];

		if (node->doing != ACTION_NONE && node->ends_us <= now_us && !node->dead)
			action_end(world, node);
	}
}
