/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of links. */
#pragma once

#include "swap/network_link.h"

int addresses_list(NetworkFile *file, Netlink *netlink, Error *err);

/* In the order saved, which decides which is the first of a subnet.  They can be used at once: for
 * IPv6 without looking for duplicates, since this machine had them a moment ago.  Lifetimes are
 * what was left of them. */
int addresses_restore(const NetworkFile *file, Netlink *netlink, const Links *saved, Error *err);
