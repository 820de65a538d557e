/* SPDX-License-Identifier: Apache-2.0 */
/* VLANs of bridges and of their ports. */
#pragma once

#include "swap/network_link.h"

int bridge_vlans_list(NetworkFile *file, Netlink *netlink, Error *err);

/* Exactly the saved ones afterwards: not the one that a port begins with, unless that is saved. */
int bridge_vlans_restore(const NetworkFile *file, Netlink *netlink, const Links *saved, Error *err);
