/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of all tables, and the next hops that they share. */
#pragma once

#include "swap/network_link.h"

/* Left out is what comes by itself: what the kernel made for addresses and links. */
int routes_list(NetworkFile *file, Netlink *netlink, Error *err);

/* A route that rests on another (its gateway is reached by that) is set after it.  Routes and next
 * hops by links that are not carried are left out, of several ways only those. */
int routes_restore(const NetworkFile *file, Netlink *netlink, const Links *saved, Error *err);
