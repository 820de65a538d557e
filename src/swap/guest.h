/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual machine beside this one, for as long as a rehearsal looks at what its kernel does: some
 * memory, a processor and a serial console, and neither a disk nor a network.  It dies with who
 * started it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "swap/guest_console.h"

#define GUEST_PROGRAM "/usr/bin/qemu-system-x86_64"
#define GUEST_MEMORY  ((int64_t)512 << 20) /* bytes */

/* The processor: this one, or an emulated one. */
#define GUEST_KVM "kvm"
#define GUEST_TCG "tcg,tb-size=128"

typedef struct Guest {
	const char *image, *initrd;
	const char *cmdline; /* as guest_cmdline() makes it */
	const char *accelerator;
	int limit_s;
	bool (*go_on)(void *userdata); /* asked several times a second; false ends it */
	void *userdata;
} Guest;

/* The command line that a kernel would have on this machine as it can have it in a guest: without
 * what depends on the machine's memory and console, and with the guest's own.  The caller frees it.
 */
int guest_cmdline(const char *cmdline, char **ret, Error *err);

/* Runs it until it is through (console.ended), or ends by itself, or is out of time (-ETIMEDOUT),
 * or go_on() ends it (-EINTR).  -EPROTO: QEMU cannot run it. */
int guest_run(const Guest *guest, GuestConsole *console, Error *err);
