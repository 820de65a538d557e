/* SPDX-License-Identifier: Apache-2.0 */
/* Next hops that routes share (ip nexthop). */
#pragma once

#include "swap/network_link.h"

int nexthops_list(NetworkFile *file, Netlink *netlink, Error *err);
/* Groups after their members. */
int nexthops_restore(const NetworkFile *file, Netlink *netlink, const Links *saved, Error *err);
