/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named places where a failure can be ordered, for tests: off unless root has made the file
 * /etc/segue/fault.  It has a line for each order:
 *     NAME [KIND [once]]
 * Without a KIND it is "error"; with "once" the file is removed before the failure happens.  A file
 * that anybody but root owns or may write is not read.  Before the root filesystem is there,
 * segue-init takes segue.fault=NAME:KIND of the kernel's command line instead.
 *
 * All points there are, and which kinds can happen at each: swap/faults.h.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

typedef enum FaultKind {
	FAULT_ERROR,     /* the step returns an error */
	FAULT_IO,        /* the same, of a disk */
	FAULT_FULL,      /* the same, of a full disk */
	FAULT_NO_MEMORY, /* the same, for want of memory */
	FAULT_CRASH,     /* the process is killed; the kernel panics if it is PID 1 */
	FAULT_DAEMON,    /* its parent is, as segued is of what works for it; the step goes on */
	FAULT_HANG,      /* it stands still for ever */
	FAULT_PANIC,     /* the kernel panics */
	FAULT_POWER, /* it stands still, and says so on the console: whoever runs the machine cuts
			its power */
	FAULT_TRUNCATE, /* of a file: its second half is lost */
	FAULT_FLIP,     /* of a file: the bit in its middle is another */
	FAULT_KINDS,
} FaultKind;

extern const char *const fault_kinds[FAULT_KINDS];

/* What `text`, as the file has it, orders for the point `name`; false: nothing. */
bool fault_find(const char *text, const char *name, FaultKind *ret_kind, bool *ret_once);

/* 0 if no failure is ordered here, or one that lets the caller go on; else a negative errno value,
 * if it returns. */
int fault_point(const char *name, Error *err);

/* The point of a file that has just been written: only its damage can be ordered. */
void fault_file(const char *name, int dirfd, const char *path);
