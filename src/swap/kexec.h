/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jump: a kernel is loaded while this one runs, and started later.
 *
 * Linked into segued and, statically, into segue-init: needs only libc.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* Loads a kernel for kexec_jump(), in place of one loaded before.  `initrd_path` may be NULL.  The
 * kernel checks signatures if it is set to.  -ENOENT, -EACCES, ...: a file cannot be read;
 * otherwise see kexec_file_load(2). */
int kexec_load(const char *image_path, const char *initrd_path, const char *cmdline, Error *err);

/* Forgets the loaded kernel, if any. */
int kexec_unload(Error *err);

bool kexec_is_loaded(void);

/* Starts the loaded kernel at once: nothing is stopped, synced or unmounted.  Returns only on
 * failure. */
int kexec_jump(Error *err);

/* Whether a command line has a parameter of that name, with a value or without: "panic" is not
 * "softlockup_panic". */
bool kexec_cmdline_has(const char *cmdline, const char *key);

/* The line without the parameters of these names (NULL-terminated); what is for init stays.  The
 * caller frees it. */
int kexec_cmdline_without(const char *cmdline, const char *const keys[], char **ret, Error *err);

/* Builds the command line for the next kernel out of that of this one (/proc/cmdline): leaves out
 * what boot loaders, other initramfs and earlier swaps added and what `extra` sets anew, and adds
 * `extra`.  The caller frees it. -E2BIG if it is longer than x86 takes (2047 bytes). */
int kexec_cmdline(const char *base, const char *extra, char **ret, Error *err);
