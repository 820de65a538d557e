/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/event.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/json.h"

#define QUEUE_MAX 10000
#define LIMIT_US  ((int64_t)60 * 1000000)

/* What was told of a rollout. */
typedef struct Told {
	RolloutState state;
	unsigned char *nodes; /* NodeState, by node */
	size_t n;
} Told;

struct Events {
	Hooks *hooks;
	Told *told;
	size_t n;
	json_object *queue; /* of {"command", "event"} */
	int64_t number;     /* of the hook that runs, or ran last; below zero, as no action's is */
	bool running, overflow;
};

/* ---- what was told ---- */

static int told_grow(Told *told, size_t n, unsigned char state)
{
	unsigned char *more = n > told->n ? realloc(told->nodes, n) : told->nodes;

	if (n <= told->n)
		return 0;
	if (!more)
		return -ENOMEM;
	memset(more + told->n, state, n - told->n);
	told->nodes = more;
	told->n = n;
	return 0;
}

static int rollouts_grow(Events *events, size_t n)
{
	Told *more;

	if (n <= events->n)
		return 0;
	more = realloc(events->told, n * sizeof(*more));
	if (!more)
		return -ENOMEM;
	memset(more + events->n, 0, (n - events->n) * sizeof(*more));
	events->told = more;
	events->n = n;
	return 0;
}

int events_new(Hooks *hooks, const Fleet *fleet, Events **ret, Error *err)
{
	Events *events = calloc(1, sizeof(*events));
	int r = events ? rollouts_grow(events, fleet->n_rollouts) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < fleet->n_rollouts; i++) {
		const Rollout *rollout = &fleet->rollouts[i];

		events->told[i].state = rollout->state;
		r = told_grow(&events->told[i], rollout->n_members, NODE_OUTSIDE);
		for (size_t j = 0; r == 0 && j < rollout->n_members; j++)
			events->told[i].nodes[j] = (unsigned char)rollout->members[j].state;
	}
	if (r == 0 && !(events->queue = json_object_new_array()))
		r = -ENOMEM;
	if (r < 0) {
		events_free(events);
		return error_errno(err, r, "Starting rollouts");
	}
	events->hooks = hooks;
	*ret = events;
	return 0;
}

void events_free(Events *events)
{
	if (!events)
		return;
	for (size_t i = 0; i < events->n; i++)
		free(events->told[i].nodes);
	free(events->told);
	(void)json_object_put(events->queue);
	free(events);
}

/* ---- telling ---- */

static void queue_run(Events *events)
{
	json_object *first = json_object_array_get_idx(events->queue, 0), *event = NULL;
	HookCase hook = {.limit_us = LIMIT_US};
	Error err = {0};

	if (events->running || !first)
		return;
	(void)json_object_object_get_ex(first, "event", &event);
	hook.hook = "event";
	hook.command = json_opt_string(first, "command", "");
	hook.node = json_opt_string(event, "node", "");
	hook.release = json_opt_string(event, "release", "");
	hook.event = json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN);
	events->running = hooks_run(events->hooks, --events->number, &hook, &err) == 0;
	if (!events->running)
		(void)fprintf(stderr, SD_WARNING "Telling of %s: %s\n", hook.event, err.text);
	(void)json_object_array_del_idx(events->queue, 0, 1);
}

static void queue_add(Events *events, const char *command, json_object *event)
{
	json_object *o = json_object_new_object();

	if (json_length(events->queue) >= QUEUE_MAX) {
		if (!events->overflow)
			(void)fprintf(stderr,
				      SD_WARNING "More than %d events wait to be told; further "
						 "ones are not\n",
				      QUEUE_MAX);
		events->overflow = true;
		(void)json_object_put(event);
		(void)json_object_put(o);
		return;
	}
	events->overflow = false;
	json_put_string(o, "command", command);
	(void)json_object_object_add(o, "event", event);
	(void)json_object_array_add(events->queue, o);
}

static json_object *event_make(const Fleet *fleet, const Rollout *rollout, const char *node,
			       const char *state, const Reason *why)
{
	json_object *event = json_object_new_object();

	json_put_string(event, "event", node ? "node" : "rollout");
	json_put_string(event, "rollout", rollout->id);
	json_put_string(event, "release", rollout->policy.release);
	json_put_string(event, "node", node);
	json_put_string(event, "state", state);
	json_put_string(event, "why",
			why->code == REASON_NONE ? NULL : reason_sentence(fleet, why).text);
	return event;
}

static void node_look(Events *events, const Fleet *fleet, const Rollout *rollout, size_t node,
		      Told *told, const char *command)
{
	const Member *member = &rollout->members[node];

	if (told->nodes[node] == (unsigned char)member->state)
		return;
	told->nodes[node] = (unsigned char)member->state;
	if (member->state >= NODE_LOST && command)
		queue_add(events, command,
			  event_make(fleet, rollout, fleet->nodes[node].name,
				     node_states[member->state].name, &member->why));
}

void events_look(Events *events, const Fleet *fleet, json_object *commands)
{
	if (rollouts_grow(events, fleet->n_rollouts) < 0)
		return;
	for (size_t i = 0; i < fleet->n_rollouts; i++) {
		const Rollout *rollout = &fleet->rollouts[i];
		json_object *hooks = NULL;
		const char *command;
		Told *told = &events->told[i];

		(void)json_object_object_get_ex(commands, rollout->id, &hooks);
		command = json_opt_string(hooks, "event", NULL);
		if (told_grow(told, rollout->n_members, NODE_OUTSIDE) < 0)
			continue;
		for (size_t j = 0; j < rollout->n_members; j++)
			node_look(events, fleet, rollout, j, told, command);
		if (told->state != rollout->state && command)
			queue_add(events, command,
				  event_make(fleet, rollout, NULL,
					     rollout_states[rollout->state].name, &rollout->why));
		told->state = rollout->state;
	}
	queue_run(events);
}

bool events_ended(Events *events, int64_t number)
{
	if (number >= 0)
		return false;
	events->running = false;
	queue_run(events);
	return true;
}
