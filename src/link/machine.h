/* SPDX-License-Identifier: Apache-2.0 */
/* This machine, as segued tells of it, and what segued is asked to do with it. */
#pragma once

#include <json-c/json.h>

#include "base/error.h"
#include "link/order.h"

/* What the hub is told: the body of POST /v1/report.  `socket`: that of segued; `follows`: a
 * channel, or NULL. */
int machine_report(const char *socket, const char *follows, json_object **ret, Error *err);

/* The kernels of the last swap that there was, or of the one under way; "": none. */
int machine_last_kernels(const char *socket, char ret_from[ORDER_TEXT_MAX + 1],
			 char ret_to[ORDER_TEXT_MAX + 1], Error *err);

/* The id of the last swap that there was; "": none. */
int machine_last_swap(const char *socket, char ret[ORDER_TEXT_MAX + 1], Error *err);

/* Begins the swap of an order, whose id is noted.  -EBUSY: another check or swap is under way;
 * -ECONNREFUSED: segued does not run. */
int machine_swap(const char *socket, LinkOrder *order, Error *err);

/* Has the machine reboot, in place of a swap, and notes the kernel.  As above. */
int machine_reboot(const char *socket, LinkOrder *order, Error *err);

/* Which boot this is, as the kernel says it. */
int machine_boot(char ret[ORDER_TEXT_MAX + 1], Error *err);

/* Installs the kernel of an order's release, whose version is noted; that takes its time, and none
 * if it is there.  -EBUSY as above. */
int machine_install(const char *socket, LinkOrder *order, Error *err);

/* Has segued check the swap of an order.  -ECANCELED: it would be refused, and why. */
int machine_check(const char *socket, const LinkOrder *order, Error *err);

/* See link_order_judge(): 1 if it is over, else 0. */
int machine_judge(const char *socket, LinkOrder *order, bool patient, Error *err);
