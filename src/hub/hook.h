/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands of the operator's that a rollout runs beside the hub, as the hub's user: gates, and
 * taking a node out of service and putting it back.  They have NODE, ADDRESS, GROUP and RELEASE in
 * their environment, and tell by their exit status how it went.
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
	const char *node, *address, *group, *release;
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

/* The member of "hooks" for an action's name: {"gate_before", "gate_after", "drain", "undrain":
 * commands}; -EINVAL names what is wrong, or not known. */
int hooks_check(json_object *hooks, Error *err);
