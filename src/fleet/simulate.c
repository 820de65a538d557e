/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/simulate.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "fleet/lock.h"
#include "fleet/save.h"

/* Every rollout gives up what does not move, so that this is ample. */
#define DEADLINE_US ((int64_t)10 * 86400 * SECOND_US)
/* After the last rollout, for nodes that come back. */
#define AFTERMATH_US (1800 * SECOND_US)

/* One thing that the coordinator is told in a step. */
typedef struct Told {
	enum { TOLD_HEARD, TOLD_RESULT, TOLD_EVENT } kind;
	int node;
	bool healthy;
	int release;
	int64_t number;
	Outcome outcome;
	const Event *event;
} Told;

typedef struct Simulation {
	const SimulateOptions *options;
	SimulateResult *result;
	Scenario scenario;
	World world;
	Ledger ledger;
	Fleet *fleet;
	Actions actions, again;
	Told *told;
	size_t n_told;
	size_t next_event;
	int64_t now_us;  /* since the beginning */
	int64_t skew_us; /* of the coordinator's real-time clock */
	int64_t away_until_us;
	int64_t over_us; /* when the last rollout ended; -1 */
	Random crashes;
} Simulation;

static void trace(const Simulation *sim, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void trace(const Simulation *sim, const char *fmt, ...)
{
	va_list ap;

	if (!sim->options->trace)
		return;
	(void)fprintf(sim->options->trace, "%6" PRId64 " %8.1f s  ", sim->result->steps,
		      (double)sim->now_us / 1e6);
	va_start(ap, fmt);
	(void)vfprintf(sim->options->trace, fmt, ap);
	va_end(ap);
	(void)fputc('\n', sim->options->trace);
}

static bool mutated(const Simulation *sim, Mutation mutation)
{
	return sim->options->mutation == mutation;
}

/* ---- the engine's side ---- */

/* A copy, spoilt as the mutation says. */
static int policy_for_engine(const Simulation *sim, int rollout, Policy *ret, Error *err)
{
	_cleanup_json_ json_object *o = policy_to_json(&sim->scenario.policies[rollout]);
	int r;

	if (mutated(sim, MUTATE_PAIRS))
		json_object_object_del(o, "pair");
	if (mutated(sim, MUTATE_PAIRS))
		json_object_object_del(o, "pair_by");
	if (mutated(sim, MUTATE_QUORUMS))
		json_object_object_del(o, "quorum");
	if (mutated(sim, MUTATE_APART))
		json_object_object_del(o, "apart");
	if (mutated(sim, MUTATE_WINDOWS))
		json_object_object_del(o, "window");
	if (mutated(sim, MUTATE_LIMITS))
		json_put_string(o, "max_unavailable", "none");
	if (mutated(sim, MUTATE_THRESHOLD))
		json_put_string(o, "max_failed", "none");
	if (mutated(sim, MUTATE_CANARIES))
		json_put_int(o, "canary", 0);
	r = policy_init(ret, err);
	return r < 0 ? r : policy_from_json(o, ret, err);
}

static int engine_start(Simulation *sim, Fleet *fleet, int rollout, Error *err)
{
	_cleanup_policy_ Policy policy = {0};
	char id[8];
	int index, r = policy_for_engine(sim, rollout, &policy, err);

	if (r < 0)
		return r;
	(void)snprintf(id, sizeof(id), "r%d", rollout);
	r = rollout_start(fleet, id, &policy, &index, err);
	sim->ledger.started[rollout] = r == 0;
	if (r < 0)
		trace(sim, "start %s: %s", id, err->text);
	return r == -ENOMEM ? r : 0;
}

static void engine_node_add(Simulation *sim, Fleet *fleet, int node)
{
	char name[24], value[16];
	char group[24];
	int index;

	scenario_node_name(node, name, sizeof(name));
	(void)snprintf(group, sizeof(group), "group%d", scenario_group(&sim->scenario, node));
	if (fleet_node_put(fleet, name, group, &index, NULL) < 0)
		return;
	(void)snprintf(value, sizeof(value), "%d", node / sim->scenario.rack_size);
	(void)fleet_node_label(fleet, index, "rack", value, NULL);
	(void)snprintf(value, sizeof(value), "%d", node / 2);
	(void)fleet_node_label(fleet, index, "shard", value, NULL);
}

/* What a lock client is told is what it does, so that this is also where the world learns it. */
static void engine_lock(Simulation *sim, Fleet *fleet, int node, bool first)
{
	char name[24], group[24];
	Reason why;
	bool granted;

	scenario_node_name(node, name, sizeof(name));
	(void)snprintf(group, sizeof(group), "group%d", scenario_group(&sim->scenario, node));
	granted = lock_take(fleet, group, name, &why, NULL) == 0;
	if (!first)
		return;
	trace(sim, "lock of %s: %s", name, granted ? "granted" : reason_sentence(fleet, &why).text);
	if (granted && !sim->world.nodes[node].locked)
		ledger_lock(&sim->ledger, node);
	sim->world.nodes[node].locked |= granted;
}

/* What is true from when the coordinator hears of it: what piles up while it is away is told in
 * order. */
static void world_event_told(Simulation *sim, const Event *event)
{
	WorldNode *node = &sim->world.nodes[event->node];

	LedgerNode *noted = &sim->ledger.nodes[event->node];

	if (event->kind == EVENT_UNLOCK)
		node->locked = false;
	/* The gate of one that is to be left alone keeps no slot. */
	if ((event->kind == EVENT_BLOCK || event->kind == EVENT_REMOVE) &&
	    (noted->asked == ACTION_GATE_BEFORE || noted->gated)) {
		noted->asked = ACTION_NONE;
		noted->gated = false;
	}
	if (event->kind != EVENT_REMOVE && event->kind != EVENT_ADD)
		return;
	sim->ledger.nodes[event->node].rejoined = true;
	sim->ledger.nodes[event->node].heard_us = sim->ledger.clock_us;
	node->present = event->kind == EVENT_ADD;
}

static int engine_event(Simulation *sim, Fleet *fleet, const Event *event, bool first, Error *err)
{
	char name[24];
	bool there = fleet->n_rollouts > (size_t)event->node;
	bool *paused = &sim->ledger.paused[event->node % SCENARIO_ROLLOUTS];
	int index, r = 0;

	scenario_node_name(event->node, name, sizeof(name));
	index = fleet_node_find(fleet, name);
	if (first)
		world_event_told(sim, event);
	switch (event->kind) {
	case EVENT_PAUSE:
		if (there && mutated(sim, MUTATE_PAUSE))
			*paused = rollout_states[fleet->rollouts[event->node].state].can_pause;
		else if (there && rollout_pause(fleet, event->node, NULL) == 0)
			*paused = true;
		break;
	case EVENT_RESUME:
		if (there)
			(void)rollout_resume(fleet, event->node, NULL);
		*paused = false;
		break;
	case EVENT_ABORT:
		if (there)
			(void)rollout_abort(fleet, event->node, event->amount != 0, NULL);
		break;
	case EVENT_WITHDRAW:
		sim->ledger.withdrawn = true;
		if (!mutated(sim, MUTATE_WITHDRAW))
			fleet_withdraw(fleet, "new0");
		break;
	case EVENT_START:
		r = engine_start(sim, fleet, event->node, err);
		break;
	case EVENT_BLOCK:
	case EVENT_UNBLOCK:
		if (index >= 0)
			fleet_node_block(fleet, index, event->kind == EVENT_BLOCK);
		break;
	case EVENT_REMOVE:
		if (index >= 0)
			fleet_node_remove(fleet, index);
		break;
	case EVENT_ADD:
		engine_node_add(sim, fleet, event->node);
		break;
	case EVENT_LOCK:
		if (sim->world.nodes[event->node].present)
			engine_lock(sim, fleet, event->node, first);
		break;
	case EVENT_UNLOCK:
		lock_give(fleet, name);
		break;
	default:
		break;
	}
	return r;
}

/* Tells the engine what there is to tell.  The ledger takes note the first time. */
static int deliver(Simulation *sim, Fleet *fleet, bool first, Error *err)
{
	for (size_t i = 0; i < sim->n_told; i++) {
		const Told *told = &sim->told[i];
		char name[24];
		int index, r = 0;

		scenario_node_name(told->node, name, sizeof(name));
		index = fleet_node_find(fleet, name);
		if (told->kind == TOLD_EVENT) {
			r = engine_event(sim, fleet, told->event, first, err);
		} else if (told->kind == TOLD_HEARD && index >= 0) {
			if (first)
				ledger_heard(&sim->ledger, told->node, told->healthy);
			r = fleet_heard(fleet, index, told->healthy || mutated(sim, MUTATE_HEALTH),
					world_release_name(told->release), err);
		} else if (index >= 0) {
			if (first)
				ledger_result(&sim->ledger, told->node, told->number,
					      told->outcome);
			(void)fleet_result(fleet, index, told->number, told->outcome);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int decide(Simulation *sim, Fleet *fleet, Actions *actions, Error *err)
{
	int64_t begin = sim->options->clock_us ? sim->options->clock_us() : 0, took;
	int r = fleet_step(fleet, sim->scenario.begin_us + sim->now_us + sim->skew_us, actions,
			   err);

	took = sim->options->clock_us ? sim->options->clock_us() - begin : 0;
	sim->result->decide_sum_us += took;
	if (took > sim->result->decide_max_us)
		sim->result->decide_max_us = took;
	return r;
}

/* ---- crashes ---- */

static bool same_actions(const Actions *a, const Actions *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const Action *left = &a->list[i], *right = &b->list[i];

		if (left->number != right->number || left->kind != right->kind ||
		    left->node != right->node || left->rollout != right->rollout ||
		    left->reboot != right->reboot || left->at_us != right->at_us)
			return false;
	}
	return true;
}

/* Takes the first node that is under way out of a saved fleet. */
static void forget_one(json_object *saved)
{
	json_object *rollouts = json_opt_array(saved, "rollouts");
	json_object *members =
		json_length(rollouts) > 0
			? json_opt_array(json_object_array_get_idx(rollouts, 0), "members")
			: NULL;

	for (size_t i = 0; i < json_length(members); i++) {
		if (json_opt_int(json_object_array_get_idx(members, i), "number", 0) == 0)
			continue;
		(void)json_object_array_del_idx(members, i, 1);
		return;
	}
}

static int reload(Simulation *sim, json_object *saved, Error *err)
{
	Fleet *fleet;
	/* Through its text, as it would come from a disk. */
	_cleanup_json_ json_object *parsed =
		json_tokener_parse(json_object_to_json_string_ext(saved, JSON_C_TO_STRING_PLAIN));
	int r = parsed ? fleet_load(parsed, &fleet, err) : -ENOMEM;

	if (r < 0)
		return r;
	fleet_free(sim->fleet);
	sim->fleet = fleet;
	sim->ledger.fleet = fleet;
	return 0;
}

/* The crash came before the step was kept: it is done again from what was kept before. */
static int crash_before(Simulation *sim, json_object *saved, Error *err)
{
	Ledger before = sim->ledger;
	int r = reload(sim, saved, err);

	if (r == 0 && !mutated(sim, MUTATE_LOSE))
		r = deliver(sim, sim->fleet, false, err);
	before.fleet = sim->fleet;
	sim->ledger = before;
	if (r == 0)
		r = decide(sim, sim->fleet, &sim->again, err);
	if (r == 0 && !same_actions(&sim->actions, &sim->again))
		ledger_broken(&sim->ledger, "crash", "a step done again decides otherwise");
	return r;
}

/* It came after: everything that is pending is asked again. */
static int crash_after(Simulation *sim, Error *err)
{
	_cleanup_json_ json_object *saved = NULL;
	int r = fleet_save(sim->fleet, &saved, err);

	if (r == 0 && mutated(sim, MUTATE_FORGET))
		forget_one(saved);
	if (r < 0 || (r = reload(sim, saved, err)) < 0 ||
	    (r = fleet_pending(sim->fleet, &sim->again, err)) < 0)
		return r;
	for (size_t i = 0; i < sim->again.n; i++) {
		Action *action = &sim->again.list[i];

		if (mutated(sim, MUTATE_RENUMBER))
			action->number = ++sim->fleet->number;
		if (mutated(sim, MUTATE_RENUMBER) && action->kind == ACTION_SWAP)
			ledger_action(&sim->ledger, action);
		world_ask(&sim->world, action, sim->now_us);
	}
	return 0;
}

/* ---- the world's side ---- */

static void tell(Simulation *sim, Told told)
{
	sim->told[sim->n_told++] = told;
}

static void world_event(Simulation *sim, const Event *event)
{
	WorldNode *node = &sim->world.nodes[event->node];

	if (event->kind == EVENT_DIE || event->kind == EVENT_BLOCK)
		sim->ledger.nodes[event->node].trouble = true;
	/* What it was doing dies with it. */
	if (event->kind == EVENT_DIE)
		sim->ledger.nodes[event->node].asked = ACTION_NONE;
	switch (event->kind) {
	case EVENT_DIE:
		node->dead = true;
		node->doing = ACTION_NONE;
		node->outcome = OUTCOME_FAILED;
		node->told = true;
		break;
	case EVENT_REVIVE:
		node->dead = false;
		node->healthy_us = sim->now_us;
		break;
	case EVENT_SICKEN:
	case EVENT_HEAL:
		node->sick = event->kind == EVENT_SICKEN;
		break;
	case EVENT_CLOCK:
		sim->skew_us += event->amount;
		break;
	case EVENT_OUTAGE:
		sim->away_until_us = sim->now_us + event->amount;
		break;
	default:
		break;
	}
}

/* What nodes say, then what else happens. */
static void listen(Simulation *sim)
{
	sim->n_told = 0;
	for (int i = 0; i < sim->scenario.n_nodes; i++) {
		WorldNode *node = &sim->world.nodes[i];
		bool twice = node->last > 0 && !world_silent(node) &&
			     random_chance(&sim->world.random, sim->scenario.odds.told_twice);

		if (world_silent(node) || !node->present)
			continue;
		tell(sim, (Told){.kind = TOLD_HEARD,
				 .node = i,
				 .healthy = world_healthy(node, sim->now_us),
				 .release = node->release});
		if (node->last == 0 || node->doing != ACTION_NONE || (node->told && !twice))
			continue;
		node->told = true;
		tell(sim, (Told){.kind = TOLD_RESULT,
				 .node = i,
				 .number = node->last,
				 .outcome = node->outcome});
	}
	while (sim->next_event < sim->scenario.n_events &&
	       sim->scenario.events[sim->next_event].at_us <= sim->now_us) {
		const Event *event = &sim->scenario.events[sim->next_event++];

		trace(sim, "%s %d", event_names[event->kind], event->node);
		world_event(sim, event);
		tell(sim, (Told){.kind = TOLD_EVENT, .event = event});
	}
}

static void carry_out(Simulation *sim)
{
	for (size_t i = 0; i < sim->actions.n; i++) {
		const Action *action = &sim->actions.list[i];

		trace(sim, "%" PRId64 ": %s node%d of r%d", action->number,
		      action_names[action->kind], action->node, action->rollout);
		ledger_action(&sim->ledger, action);
		world_ask(&sim->world, action, sim->now_us);
		/* FNV-1a, over what makes one action differ from another. */
		sim->result->digest =
			(sim->result->digest ^ (uint64_t)action->number ^
			 (uint64_t)action->kind << 40 ^ (uint64_t)action->node << 44) *
			1099511628211u;
	}
	sim->result->actions += (int64_t)sim->actions.n;
}

/* ---- the loop ---- */

static int hub_step(Simulation *sim, Error *err)
{
	_cleanup_json_ json_object *saved = NULL;
	bool crash = random_chance(&sim->crashes, sim->options->crash_permille) ||
		     (sim->options->crash_always && sim->options->crash_step == sim->result->steps);
	int r = crash ? fleet_save(sim->fleet, &saved, err) : 0;

	listen(sim);
	if (r == 0)
		r = deliver(sim, sim->fleet, true, err);
	ledger_step(&sim->ledger, sim->scenario.begin_us + sim->now_us + sim->skew_us);
	if (r == 0)
		r = decide(sim, sim->fleet, &sim->actions, err);
	if (r == 0 && crash)
		r = crash_before(sim, saved, err);
	if (r < 0)
		return r;
	carry_out(sim);
	sim->result->crashes += crash;
	return crash ? crash_after(sim, err) : 0;
}

static bool rollouts_over(const Simulation *sim)
{
	for (size_t i = 0; i < sim->fleet->n_rollouts; i++) {
		if (!rollout_states[sim->fleet->rollouts[i].state].ended)
			return false;
	}
	return sim->next_event == sim->scenario.n_events;
}

static bool anybody_busy(const Simulation *sim)
{
	for (int i = 0; i < sim->scenario.n_nodes; i++) {
		if (sim->world.nodes[i].doing != ACTION_NONE &&
		    sim->world.nodes[i].ends_us != INT64_MAX)
			return true;
	}
	return false;
}

static void time_pass(Simulation *sim)
{
	int64_t busy = sim->scenario.n_nodes > 2000 ? 10 : 5;

	sim->now_us += (anybody_busy(sim) ? busy : 30) * SECOND_US;
	sim->result->steps++;
	if (sim->over_us < 0 && rollouts_over(sim))
		sim->over_us = sim->now_us;
	if (sim->now_us > DEADLINE_US)
		ledger_broken(&sim->ledger, "progress", "a rollout does not end: it is %s: %s",
			      rollout_states[sim->fleet->rollouts[0].state].name,
			      reason_sentence(sim->fleet,
					      &(Reason){.code = rollout_why(sim->fleet, 0).code})
				      .text);
}

static int simulation_loop(Simulation *sim, Error *err)
{
	int r = 0;

	while (r == 0 && !*sim->ledger.broken &&
	       (sim->over_us < 0 || sim->now_us < sim->over_us + AFTERMATH_US)) {
		world_advance(&sim->world, sim->now_us);
		if (sim->now_us >= sim->away_until_us)
			r = hub_step(sim, err);
		time_pass(sim);
	}
	return r;
}

static void result_count(Simulation *sim)
{
	for (size_t i = 0; i < sim->fleet->n_rollouts; i++) {
		const Rollout *rollout = &sim->fleet->rollouts[i];

		for (size_t j = 0; j < rollout->n_members; j++) {
			NodeState state = rollout->members[j].state;

			sim->result->done += state == NODE_DONE;
			sim->result->failed += state == NODE_FAILED || state == NODE_LOST ||
					       state == NODE_RETURNED;
			sim->result->skipped += state == NODE_SKIPPED || state == NODE_REFUSED;
			sim->result->ends += state != NODE_OUTSIDE;
		}
	}
}

static void result_fill(Simulation *sim)
{
	SimulateResult *result = sim->result;

	result->virtual_us = sim->now_us;
	result->started = sim->ledger.started[0];
	if (sim->fleet->n_rollouts > 0)
		result->state = sim->fleet->rollouts[0].state;
	result_count(sim);
	memcpy(result->broken, sim->ledger.broken, sizeof(result->broken));
	memcpy(result->sentence, sim->ledger.sentence, sizeof(result->sentence));
	result->broken_step = result->steps - 1;
	if (*result->broken)
		trace(sim, "broken: %s: %s", result->broken, result->sentence);
}

static int simulation_make(Simulation *sim, Error *err)
{
	const SimulateOptions *options = sim->options;
	int r = scenario_make(options->seed, options->nodes, &sim->scenario, err);

	if (r < 0 || (r = fleet_load(sim->scenario.fleet, &sim->fleet, err)) < 0 ||
	    (r = world_make(&sim->scenario, &sim->world, err)) < 0 ||
	    (r = ledger_make(&sim->scenario, &sim->world, &sim->ledger, err)) < 0)
		return r;
	sim->told = calloc((size_t)sim->scenario.n_nodes * 2 + sim->scenario.n_events + 1,
			   sizeof(*sim->told));
	if (!sim->told)
		return error_errno(err, -ENOMEM, "Making a simulation");
	sim->crashes = (Random){.state = ~options->seed};
	sim->over_us = -1;
	sim->ledger.fleet = sim->fleet;
	r = engine_start(sim, sim->fleet, 0, err);
	if (r == 0 && mutated(sim, MUTATE_STALL) && sim->ledger.started[0])
		(void)rollout_pause(sim->fleet, 0, NULL);
	return r;
}

static void simulation_release(Simulation *sim)
{
	fleet_free(sim->fleet);
	actions_release(&sim->actions);
	actions_release(&sim->again);
	free(sim->told);
	ledger_release(&sim->ledger);
	world_release(&sim->world);
	scenario_release(&sim->scenario);
}

int simulate_run(const SimulateOptions *options, SimulateResult *ret, Error *err)
{
	SimulateResult result = {.digest = 14695981039346656037u};
	Simulation sim = {.options = options, .result = &result};
	int r = simulation_make(&sim, err);

	if (r == 0)
		r = simulation_loop(&sim, err);
	if (r == 0 && !*sim.ledger.broken)
		ledger_end(&sim.ledger);
	if (r == 0) {
		result_fill(&sim);
		*ret = result;
	}
	simulation_release(&sim);
	return r;
}
