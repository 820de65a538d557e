/* SPDX-License-Identifier: Apache-2.0 */
/* Links of devices: found again under another kernel, and given their names back. */
#pragma once

#include "swap/network_link.h"

/* Sets `here` of each saved link of a device, and of the loopback interface, to the present one
 * that is most surely it; no present one is taken twice. */
void devices_match(Links *saved, const Links *present);

/* As devices_match(), with the links that are there; waits at most `limit_ms` for drivers that have
 * not found their devices yet.  -ENODEV if one that was up is not found. */
int devices_find(Netlink *netlink, Links *saved, const char *sysfs, int limit_ms, Error *err);

/* Gives them their saved names, over names in between where one has another's; who else has one of
 * those names loses it. */
int devices_rename(Netlink *netlink, const Links *saved, const Links *present, Error *err);
