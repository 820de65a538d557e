/* SPDX-License-Identifier: Apache-2.0 */
/* The way onto another kernel for a machine whose programs cannot be carried: an ordinary reboot,
 * units stopped in order, through kexec instead of the firmware. */
#pragma once

#include "base/config.h"
#include "base/error.h"

/* Has an installed kernel (NULL: the newest) loaded, with its own initramfs and this boot's command
 * line, and systemd begin to shut down; the machine goes on for as long as that takes.  The caller
 * frees *ret_kernel, its version.  -ENOENT: it is not installed, or has no initramfs; as
 * kernel_find() and kexec_load(). */
int reboot_start(const Config *config, const char *kernel, char **ret_kernel, Error *err);
