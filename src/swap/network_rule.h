/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that choose the table of routes. */
#pragma once

#include "swap/network_file.h"

int rules_list(NetworkFile *file, Netlink *netlink, Error *err);

/* Exactly the saved ones are there afterwards: rules that the kernel begins with and that were
 * deleted are deleted again. */
int rules_restore(const NetworkFile *file, Netlink *netlink, Error *err);
