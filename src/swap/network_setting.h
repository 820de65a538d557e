/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of links: names besides the first, addresses of the link layer,
 * MTU, masters, state.  Each function sets what differs from `present`, the
 * list of links as they are, on the links that are here.
 */
#pragma once

#include "swap/network_link.h"

/* Before masters and before they are up: also keeps the kernel from generating IPv6 addresses,
 * until settings_generate(). */
int settings_apply(Netlink *netlink, const Links *saved, const Links *present, Error *err);

/* Gives links that have one their master. */
int settings_enslave(Netlink *netlink, const Links *saved, Error *err);

/* What takes masters and ports: settings of ports, MTU, a bridge's address, a bond's primary port.
 */
int settings_finish(Netlink *netlink, const Links *saved, const Links *present, Error *err);

/* Brings up what was up. */
int settings_raise(Netlink *netlink, const Links *saved, Error *err);

/* Sets how IPv6 addresses are generated as it was, which has the kernel generate none by itself. */
int settings_generate(Netlink *netlink, const Links *saved, Error *err);

/* Waits until the links that had a carrier have it again, at most `limit_ms`.  -ETIMEDOUT names one
 * that has not. */
int settings_wait_carrier(Netlink *netlink, const Links *saved, int limit_ms, Error *err);
