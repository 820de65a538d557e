/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernel the machine's boot loader starts by default. */
#pragma once

#include "base/error.h"

/* Makes `version` the default of GRUB or systemd-boot, whichever there is; of neither: nothing to
 * do. */
int bootdefault_set(const char *version, Error *err);

/* The path of the menu entry of a kernel in grub.cfg, "SUBMENU-ID>ENTRY-ID", freed by the caller;
 * NULL if it has none. For recovery entries of the same kernel nothing is returned. */
char *bootdefault_grub_entry(const char *grub_cfg, const char *version);
