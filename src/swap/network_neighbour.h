/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbours: who has which address of the link layer; also the permanent entries of bridges' and
 * VXLANs' tables. */
#pragma once

#include "swap/network_link.h"

int neighbours_list(NetworkFile *file, Netlink *netlink, Error *err);

/* Those that were usable are, so that the first packet leaves at once; the kernel confirms them in
 * its own time.  A link that loses its carrier forgets them. */
int neighbours_restore(const NetworkFile *file, Netlink *netlink, const Links *saved, Error *err);
