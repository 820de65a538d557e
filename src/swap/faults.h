/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All fault points (base/fault.h) there are: where they are placed, what can happen there, and how
 * a swap ends then.  `segued --fault-points` prints it; doc/failure.md has it for people.
 */
#pragma once

#include <json-c/json.h>
#include <stddef.h>

#include "base/fault.h"
#include "swap/state.h"

/* How a swap ends.  Kept programs run on, with their memory and connections, except for the last.
 */
typedef enum FaultEnd {
	END_REFUSED,    /* under the old kernel; nothing was touched */
	END_CALLED_OFF, /* under the old kernel */
	END_GOES_ON,    /* as if nothing had happened, with a warning */
	END_RETURNED,   /* under the old kernel, to which the new one, or the next boot, has jumped
			   back */
	END_STAYED,     /* under the new kernel; the swap has failed, and says why */
	END_AFRESH,     /* as after a power cut: started afresh, and the report says so, where the
			   captures cannot be had or used any more; else from them */
	FAULT_ENDS,
} FaultEnd;

typedef struct FaultPoint {
	const char *name;
	SwapState step;
	const char *file, *function; /* where it is, below src; or the table there */
	unsigned kinds;              /* 1U << FaultKind */
	FaultEnd end;                /* of those kinds that leave the machine running */
} FaultPoint;

extern const FaultPoint fault_points[];
extern const size_t fault_points_n;

/* With the machine, or PID 1, ends everything in memory: the captures are taken to be on a disk. */
FaultEnd fault_end(const FaultPoint *point, FaultKind kind);

extern const char *const fault_ends[FAULT_ENDS];

/* [ { "name": "freeze", "step": "freeze", "kind": "crash", "end": "called-off" } ]; the caller puts
 * it. */
json_object *faults_describe(void);
