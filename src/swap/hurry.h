/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

/* Whether the kernel hurries to end RCU's grace periods.  Netlink, freezing filesystems, mounting
 * and leaving namespaces wait for some, which take tens of milliseconds each while little runs; as
 * the kernel itself does until it starts init, it hurries while programs stand still.  Returns
 * whether it did so before. */
bool hurry(bool on);
