/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network configuration of the caller's network namespace, across the jump.
 *
 * Carried are links (those of devices are known again, virtual ones are made
 * anew; see network_kind.c), with their names, addresses, MTU, masters and
 * settings; IPv4 and IPv6 addresses; routes, shared next hops and rules;
 * neighbours; VLANs and permanent entries of bridges; and system controls
 * (network_control.c).  Not carried are queueing disciplines, packet filters,
 * what ethtool sets, and what routers or peers tell anew.
 *
 * All of it lies in one file, described in network_file.h.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* Makes the file in a directory.  Syncing it is left to the caller, who has more to sync. */
int network_save(int dirfd, Error *err);

/* The network as it was saved, but for what needs carriers: links are up, addresses can be bound
 * and routes are there.  It waits at most 10 s for drivers to find devices that were in use.  To be
 * called with the hold raised, which it leaves alone.  -EBADMSG: the file is damaged, and nothing
 * was changed; -ENODEV: a device that was in use is not there. */
int network_configure(int dirfd, Error *err);

/* Waits for carriers that were there, then sets neighbours, which links without a carrier would
 * forget.  Programs can be restored meanwhile.  -ETIMEDOUT names a link that has no carrier after
 * `limit_ms`; everything was set nevertheless. */
int network_settle(int dirfd, int limit_ms, Error *err);

/* Tells of each link that will not be there after a swap, and why; `refusal` if that is likely to
 * harm programs that are kept. */
typedef void (*NetworkFindingFn)(const char *link, const char *why, bool refusal, void *userdata);
int network_check(NetworkFindingFn fn, void *userdata, Error *err);

/* Links of devices that are up: name, and path below sysfs ("/sys/class/net/ens3"). */
int network_links_in_use(void (*fn)(const char *name, const char *sysfs, void *userdata),
			 void *userdata, Error *err);

/* Aliases and names of further modules that network_configure() needs: for kinds of links
 * ("rtnl-link-vlan") and congestion control ("tcp_bbr").  What is built in may be among them. */
int network_link_modules(void (*fn)(const char *alias, void *userdata), void *userdata, Error *err);
