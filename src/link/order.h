/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order that the hub has given and that is not reported on yet.
 *
 * It is on the disk before segued is asked for anything, so that whoever looks after it next, the
 * link in the next kernel too, asks nothing twice, and tells the hub what became of it.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define ORDER_TEXT_MAX    128
#define ORDER_MESSAGE_MAX 1024 /* what the hub takes */

/* What the message of an order begins with whose swap check would refuse. */
#define ORDER_NOT_CARRIED "not carried: "

#define ORDER_OWN (-1) /* this machine's, of which the hub knows nothing */

typedef struct LinkOrder {
	int64_t id;                       /* of the hub's; ORDER_OWN; 0: none */
	char release[ORDER_TEXT_MAX + 1]; /* whose kernel is to be installed first; "": none */
	char kernel[ORDER_TEXT_MAX + 1];  /* "": the newest installed, or the release's */
	bool stage;                       /* install, and check whether a swap could be; no swap */
	bool reboot; /* nothing is carried: no check, and a reboot in place of the swap */
	bool allow_one_way, no_trial;
	int64_t jump_at_s; /* real time of the jump, with other machines; 0: as soon as can be */
	char before[ORDER_TEXT_MAX + 1]; /* id of the swap that was the last one then; "": none */
	char swap[ORDER_TEXT_MAX + 1];   /* id of the order's own; "": not known yet */
	char boot[ORDER_TEXT_MAX + 1];   /* id of the boot in which the reboot was asked for */
	char state[8];                   /* "done" or "failed"; "": not over */
	char message[ORDER_MESSAGE_MAX + 1];
} LinkOrder;

/* An order as the hub gives it: each member of the type that it must have, no longer than it may
 * be, and none that is not known here.  -EINVAL; *ret has the id even so, or 0 if there is none. */
int link_order_take(json_object *given, LinkOrder *ret, Error *err);

/* Whether something comes before its swap: see prepare.h. */
bool link_order_is_raw(const LinkOrder *order);

/* What segued is asked: the body of POST /v1/swap, and of POST /v1/check. */
json_object *link_order_request(const LinkOrder *order);

/* How it ended; the first end counts. */
void link_order_end(LinkOrder *order, const char *state, const char *message);

/*
 * Whether it is over, by what segued tells: its state, the swap under way or the last one (or
 * NULL), and the log of all swaps.  `patient`: what is not there yet may still come.
 */
bool link_order_judge(LinkOrder *order, json_object *node, json_object *swap, json_object *log,
		      bool patient);

/* The same of a reboot, by the kernel that runs and the id of this boot. */
bool link_order_judge_reboot(LinkOrder *order, const char *kernel, const char *boot, bool patient);

int link_order_save(const char *directory, const LinkOrder *order, Error *err);

/* 1, or 0 if there is none. */
int link_order_load(const char *directory, LinkOrder *ret, Error *err);
int link_order_forget(const char *directory, Error *err);
