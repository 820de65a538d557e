/* SPDX-License-Identifier: Apache-2.0 */
/* System controls below /proc/sys/net that connections and links depend on. */
#pragma once

#include "swap/network_link.h"

/* Those of the table in network_control.c that can be read and written. */
int controls_list(NetworkFile *file, Error *err);

/* The general ones before those of each link, which they reset.  Only what differs is written; what
 * this kernel does not have, or refuses, is left at its default: a control is no reason to return.
 */
int controls_restore(const NetworkFile *file, Error *err);
