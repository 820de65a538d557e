/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator has a rollout do beside the hub, as the hub's user: gates, taking a node out of
 * service and putting it back, telling what happens.  Each is a command, which has NODE, ADDRESS,
 * GROUP, RELEASE and EVENT in its environment and tells by its exit status how it went; or the URL
 * of a web hook (http:// or https://), which is sent the same with POST as JSON, and tells it by
 * the status of its answer.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/error.h"

#define HOOK_COMMAND_MAX 4096

typedef struct Hooks Hooks;

typedef struct HookCase {
	const char *command;
	const char *hook; /* which of them: "drain" */
	const char *node, *address, *group, *release;
	const char *event; /* JSON; NULL: it is none */
	int64_t limit_us;
} HookCase;

/* `number` is what was given to hooks_run(). */
typedef void HookEnded(int64_t number, bool well, void *data);

int hooks_new(sd_event *event, HookEnded *ended, void *data, Hooks **ret, Error *err);
/* Kills those that run. */
void hooks_free(Hooks *hooks);

/* Starts one; after its time it is killed, and has failed. */
int hooks_run(Hooks *hooks, int64_t number, const HookCase *hook, Error *err);
bool hooks_has(const Hooks *hooks, int64_t number);

/* {"gate_before", "gate_after", "drain", "undrain", "event": commands or URLs}; -EINVAL names what
 * is wrong, or not known. */
int hooks_check(json_object *hooks, Error *err);
