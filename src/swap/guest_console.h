/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the console of a rehearsal's guest shows, read as it comes.  segue-init says there, among
 * all that the kernel says, a line for each step:
 *     segue-init: rehearsal STEP: ok
 *     segue-init: rehearsal STEP: why not
 * The first is GUEST_BEGUN, the last GUEST_ENDED.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#define GUEST_MARK         "rehearsal "
#define GUEST_BEGUN        "begun"
#define GUEST_ENDED        "ended"
#define GUEST_STEP_MODULES "modules"

typedef struct GuestConsole {
	char line[1024]; /* the one that is not complete yet */
	size_t size;
	char last[256];     /* the last complete one that is not empty */
	char panic[256];    /* what the kernel said when it panicked, or "" */
	bool begun, ended;  /* as segue-init says */
	json_object *steps; /* [ {"step": "criu", "ok": bool, "message": "..."|null} ] */
} GuestConsole;

/* All of `console` is zero before the first. */
void guest_console_feed(GuestConsole *console, const char *data, size_t size);

void guest_console_free(GuestConsole *console);
