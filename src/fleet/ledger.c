/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int ledger_make(const Scenario *scenario, const World *world, Ledger *ret, Error *err)
{
	Ledger ledger = {.scenario = scenario, .world = world, .now_us = INT64_MIN};

	ledger.nodes = calloc((size_t)scenario->n_nodes + 1, sizeof(*ledger.nodes));
	if (!ledger.nodes)
		return error_errno(err, -ENOMEM, "Making a ledger");
	for (int i = 0; i < scenario->n_nodes; i++)
		ledger.nodes[i] = (LedgerNode){.healthy = true, .healed_us = -1, .swapped_us = -1};
	*ret = ledger;
	return 0;
}

void ledger_release(Ledger *ledger)
{
	free(ledger->nodes);
	*ledger = (Ledger){0};
}

void ledger_broken(Ledger *ledger, const char *invariant, const char *fmt, ...)
{
	va_list ap;

	/* The first is what the others follow from. */
	if (*ledger->broken)
		return;
	(void)snprintf(ledger->broken, sizeof(ledger->broken), "%s", invariant);
	va_start(ap, fmt);
	(void)vsnprintf(ledger->sentence, sizeof(ledger->sentence), fmt, ap);
	va_end(ap);
}

void ledger_heard(Ledger *ledger, int index, bool healthy)
{
	LedgerNode *node = &ledger->nodes[index];

	if (healthy && (!node->healthy || node->fresh))
		node->healed_us = ledger->clock_us;
	node->heard_us = ledger->clock_us;
	node->healthy = healthy;
	node->fresh &= !healthy;
	node->trouble |= !healthy;
}

void ledger_result(Ledger *ledger, int index, int64_t number, Outcome outcome)
{
	LedgerNode *node = &ledger->nodes[index];
	int rollout = ledger->world->nodes[index].rollout;

	if (number != node->number || node->asked == ACTION_NONE)
		return;
	node->fresh |= node->asked == ACTION_SWAP || node->asked == ACTION_RETURN;
	if (node->asked == ACTION_SWAP)
		node->unproven = ledger->scenario->policies[rollout].gate_after;
	if (node->asked == ACTION_GATE_AFTER && outcome == OUTCOME_OK)
		node->unproven = false;
	if (node->asked == ACTION_SWAP && outcome != OUTCOME_OK && !node->failed[rollout]) {
		node->failed[rollout] = true;
		ledger->failures[rollout]++;
	}
	node->trouble |= outcome != OUTCOME_OK;
	node->gated = node->asked == ACTION_GATE_BEFORE && outcome == OUTCOME_OK &&
		      ledger->clock_us - node->asked_us <=
			      ledger->scenario->policies[0].times_us[TIME_GATE];
	if (node->asked == ACTION_SWAP && outcome == OUTCOME_OK)
		node->swapped_us = ledger->clock_us;
	node->asked = ACTION_NONE;
}

/* Out of service by somebody's doing. */
static bool is_ours(const Ledger *ledger, int index)
{
	const WorldNode *truth = &ledger->world->nodes[index];
	const LedgerNode *node = &ledger->nodes[index];
	bool asked = node->asked != ACTION_NONE && node->asked != ACTION_STAGE &&
		     node->asked != ACTION_UNSTAGE && truth->last == node->number;

	/* A gate that does not answer in time gives its slot back: nothing has happened yet. */
	if (node->asked == ACTION_GATE_BEFORE &&
	    ledger->clock_us - node->asked_us > ledger->scenario->policies[0].times_us[TIME_GATE])
		asked = false;

	return truth->locked || truth->drained || truth->doing == ACTION_SWAP ||
	       truth->doing == ACTION_RETURN || node->fresh || node->gated || asked;
}

void ledger_count(Ledger *ledger)
{
	int64_t lease = ledger->scenario->policies[0].times_us[TIME_LEASE];

	for (int i = 0; i < ledger->scenario->n_nodes; i++) {
		LedgerNode *node = &ledger->nodes[i];

		node->ours = is_ours(ledger, i);
		node->unavailable =
			node->ours || !node->healthy || ledger->clock_us - node->heard_us > lease;
	}
}

void ledger_step(Ledger *ledger, int64_t now_us)
{
	int64_t passed = ledger->now_us == INT64_MIN ? 0 : now_us - ledger->now_us;

	/* As fleet.h says of its clock. */
	if (passed > 0)
		ledger->clock_us += passed < FLEET_STEP_MAX_US ? passed : FLEET_STEP_MAX_US;
	ledger->now_us = now_us;
	ledger_count(ledger);
}

static bool is_active(const Ledger *ledger, int rollout)
{
	return ledger->started[rollout] && ledger->fleet->n_rollouts > (size_t)rollout &&
	       !rollout_states[ledger->fleet->rollouts[rollout].state].ended;
}

/* ---- what holds when a node is taken down ---- */

static void check_limits(Ledger *ledger, int index, const Limits *limits, bool forward)
{
	int group = scenario_group(ledger->scenario, index);
	int n = 0, changing = 0, unavailable = 0, unhealthy = 0, other = -1;

	for (int i = group; i < ledger->scenario->n_nodes; i += ledger->scenario->n_groups) {
		const LedgerNode *node = &ledger->nodes[i];

		if (!ledger->world->nodes[i].present)
			continue;
		n++;
		if (i == index)
			continue;
		changing += node->ours && node->healthy;
		unavailable += node->unavailable;
		other = node->unavailable ? i : other;
		unhealthy += node->unavailable && !node->ours;
	}
	if (changing + 1 > limit_of(limits->by[LIMIT_CHANGING], n) &&
	    limits->by[LIMIT_UNAVAILABLE].unit == LIMIT_NONE)
		ledger_broken(ledger, "limits", "node%d makes %d changing of %d", index,
			      changing + 1, n);
	if (unavailable + 1 > limit_of(limits->by[LIMIT_UNAVAILABLE], n))
		ledger_broken(ledger, "limits",
			      "node%d, with node%d, makes %d unavailable of %d, limit %s", index,
			      other, unavailable + 1, n,
			      limit_text(limits->by[LIMIT_UNAVAILABLE]).text);
	if (forward && unhealthy > limit_of(limits->by[LIMIT_UNHEALTHY], n))
		ledger_broken(ledger, "limits", "node%d is taken with %d unhealthy of %d", index,
			      unhealthy, n);
}

/* How many of the named nodes are down or gone, but for one; 0 if that one is not among them. */
static int named_down(const Ledger *ledger, const char *names, int index, int *ret_n)
{
	bool among = false;
	int down = 0;

	*ret_n = 0;
	for (const char *p = names; p; p = strchr(p, ',')) {
		int node;

		p += *p == ',';
		if (sscanf(p, "node%d", &node) != 1)
			break;
		(*ret_n)++;
		among |= node == index;
		down += node != index &&
			(ledger->nodes[node].unavailable || !ledger->world->nodes[node].present);
	}
	return among ? down : 0;
}

static void check_named(Ledger *ledger, int index, const Ties *ties)
{
	int n;

	for (size_t i = 0; i < ties->quorums.n; i++) {
		if (named_down(ledger, ties->quorums.items[i], index, &n) + 1 > (n - 1) / 2 &&
		    named_down(ledger, ties->quorums.items[i], index, &n) > 0)
			ledger_broken(ledger, "quorum", "node%d goes down in %s", index,
				      ties->quorums.items[i]);
	}
	for (size_t i = 0; i < ties->pairs.n; i++) {
		int first, second, other;

		if (sscanf(ties->pairs.items[i], "node%d,node%d", &first, &second) != 2 ||
		    (first != index && second != index))
			continue;
		other = first == index ? second : first;
		if (ledger->nodes[other].unavailable && ledger->world->nodes[other].present)
			ledger_broken(ledger, "pair", "node%d goes down with node%d", index, other);
	}
}

static void check_labels(Ledger *ledger, int index, const Ties *ties)
{
	int rack = ledger->scenario->rack_size;

	for (int i = 0; i < ledger->scenario->n_nodes; i++) {
		if (i == index || !ledger->nodes[i].unavailable || !ledger->world->nodes[i].present)
			continue;
		if (ties->apart.n > 0 && i / rack != index / rack)
			ledger_broken(ledger, "apart",
				      "node%d goes down with node%d of another rack", index, i);
		if (ties->pair_by.n > 0 && i / 2 == index / 2)
			ledger_broken(ledger, "pair", "node%d goes down with node%d of its shard",
				      index, i);
	}
}

static void check_ties(Ledger *ledger, int index)
{
	for (int i = 0; i < SCENARIO_ROLLOUTS; i++) {
		const Ties *ties = &ledger->scenario->policies[i].ties;

		if (!is_active(ledger, i))
			continue;
		check_named(ledger, index, ties);
		if (ties->apart.n > 0 || ties->pair_by.n > 0)
			check_labels(ledger, index, ties);
	}
}

static void check_window(Ledger *ledger, const Policy *policy, int index)
{
	for (size_t i = 0; i < policy->windows.n; i++) {
		Window window;

		if (window_parse(policy->windows.items[i], &window, NULL) == 0 &&
		    window_left_us(&window, ledger->now_us) > 0)
			return;
	}
	if (policy->windows.n > 0)
		ledger_broken(ledger, "window", "node%d begins outside of every window", index);
}

/* A node that begins a change. */
static void check_begin(Ledger *ledger, const Action *action)
{
	int rollout = action->rollout;
	const Policy *policy = &ledger->scenario->policies[rollout];
	int limit = limit_of(policy->max_failed, ledger->fleet->rollouts[rollout].total);

	if (ledger->failures[rollout] > limit)
		ledger_broken(ledger, "threshold", "node%d begins after %d failures, limit %d",
			      action->node, ledger->failures[rollout], limit);
	if (ledger->paused[rollout])
		ledger_broken(ledger, "pause", "node%d begins in a paused rollout", action->node);
	if (ledger->withdrawn && rollout == 0)
		ledger_broken(ledger, "withdrawn", "node%d begins on a withdrawn release",
			      action->node);
	check_window(ledger, policy, action->node);
}

/* The first that is taken down after the canaries: all of them are through, or had trouble. */
static void check_canaries(Ledger *ledger, const Action *action)
{
	const Policy *policy = &ledger->scenario->policies[0];

	ledger->nodes[action->node].begun = ++ledger->begun;
	for (int i = 0; i < ledger->scenario->n_nodes; i++) {
		/* One that was removed and comes back is a new node, and its place was free. */
		if (ledger->nodes[i].rejoined)
			return;
	}
	if (policy->canaries == 0 || ledger->begun != policy->canaries + 1)
		return;
	for (int i = 0; i < ledger->scenario->n_nodes; i++) {
		const LedgerNode *node = &ledger->nodes[i];
		const WorldNode *truth = &ledger->world->nodes[i];

		if (node->begun == 0 || i == action->node || node->trouble || truth->dead ||
		    !truth->present || node->rejoined)
			continue;
		/* No answer in time is trouble too. */
		if (node->asked == ACTION_SWAP &&
		    ledger->clock_us - node->asked_us > policy->times_us[TIME_SWAP])
			continue;
		if (node->swapped_us < 0 ||
		    ledger->clock_us - node->swapped_us < policy->times_us[TIME_SOAK])
			ledger_broken(ledger, "canary", "node%d follows before node%d has soaked",
				      action->node, i);
	}
}

static void check_swap(Ledger *ledger, const Action *action)
{
	if (ledger->world->nodes[action->node].swaps[action->rollout] > 0 &&
	    !ledger->nodes[action->node].rejoined)
		ledger_broken(ledger, "twice", "node%d is swapped again", action->node);
}

static bool takes_down(ActionKind kind)
{
	return kind == ACTION_GATE_BEFORE || kind == ACTION_DRAIN || kind == ACTION_SWAP ||
	       kind == ACTION_RETURN;
}

void ledger_action(Ledger *ledger, const Action *action)
{
	LedgerNode *node = &ledger->nodes[action->node];
	const WorldNode *truth = &ledger->world->nodes[action->node];
	const Policy *policy = &ledger->scenario->policies[action->rollout];
	bool forward = truth->swaps[action->rollout] == 0 && action->kind != ACTION_RETURN;
	/* One that is sick after its change is sent back at once: that takes nothing from anybody;
	 * nor does it of one that nobody has put back into service since, for want of its gate, or
	 * because it becomes healthy in the very step in which it is given up. */
	bool cure =
		!forward && (!node->healthy || node->unproven || node->healed_us == node->heard_us);

	if (action->number <= ledger->number)
		ledger_broken(ledger, "twice", "number %lld is given again",
			      (long long)action->number);
	ledger->number = action->number;
	if (takes_down(action->kind) && !node->ours && forward)
		check_begin(ledger, action);
	if (takes_down(action->kind) && !node->ours && !cure && !policy->all_at_once) {
		check_limits(ledger, action->node, &policy->limits, forward);
		check_ties(ledger, action->node);
	}
	if (action->kind == ACTION_SWAP)
		check_swap(ledger, action);
	if ((action->kind == ACTION_SWAP || action->kind == ACTION_DRAIN) && forward &&
	    action->rollout == 0 && node->begun == 0 && !policy->all_at_once)
		check_canaries(ledger, action);
	node->number = action->number;
	node->asked = action->kind;
	node->asked_us = ledger->clock_us;
	node->gated = false;
	node->ours |= takes_down(action->kind);
	node->unavailable |= takes_down(action->kind);
}

void ledger_lock(Ledger *ledger, int index)
{
	ledger_count(ledger);
	for (int i = 0; i < SCENARIO_ROLLOUTS; i++) {
		if (is_active(ledger, i))
			check_limits(ledger, index, &ledger->scenario->policies[i].limits, true);
	}
	check_ties(ledger, index);
}

/* ---- the end ---- */

static void end_node(Ledger *ledger, const Rollout *rollout, int index)
{
	const WorldNode *truth = &ledger->world->nodes[index];
	const Member *member = &rollout->members[index];
	int rollout_index = (int)(rollout - ledger->fleet->rollouts);

	if (!truth->present)
		return;
	if (!node_states[member->state].settled)
		ledger_broken(ledger, "forgotten", "node%d is still %s", index,
			      node_states[member->state].name);
	if (member->state == NODE_OUTSIDE && index < ledger->scenario->n_first &&
	    !ledger->nodes[index].rejoined)
		ledger_broken(ledger, "forgotten", "node%d is in no rollout", index);
	if (member->state != NODE_DONE && member->state != NODE_OUTSIDE &&
	    member->state != NODE_SENT_BACK && member->why.code == REASON_NONE)
		ledger_broken(ledger, "forgotten", "node%d is %s, and nobody knows why", index,
			      node_states[member->state].name);
	if (member->state == NODE_DONE && !truth->dead && truth->release == 0)
		ledger_broken(ledger, "forgotten", "node%d is done, and on its old kernel", index);
	if (member->state == NODE_SKIPPED && truth->swaps[rollout_index] > 0 &&
	    !ledger->nodes[index].rejoined)
		ledger_broken(ledger, "forgotten", "node%d is skipped, and was swapped", index);
}

static bool is_answered_for(const Fleet *fleet, int index)
{
	for (size_t i = 0; i < fleet->n_rollouts; i++) {
		NodeState state = fleet->rollouts[i].members[index].state;

		if (state == NODE_FAILED || state == NODE_LOST)
			return true;
	}
	return false;
}

void ledger_end(Ledger *ledger)
{
	const Fleet *fleet = ledger->fleet;

	for (size_t i = 0; i < fleet->n_rollouts; i++) {
		const Rollout *rollout = &fleet->rollouts[i];

		for (int node = 0; node < (int)rollout->n_members; node++)
			end_node(ledger, rollout, node);
	}
	for (int i = 0; i < ledger->scenario->n_nodes; i++) {
		const WorldNode *truth = &ledger->world->nodes[i];

		if (truth->present && truth->drained && !truth->dead && fleet->n_rollouts > 0 &&
		    !ledger->nodes[i].rejoined && !is_answered_for(fleet, i))
			ledger_broken(ledger, "forgotten", "node%d is left out of service", i);
	}
}
