/* SPDX-License-Identifier: Apache-2.0 */
/* Work that a child process does beside its parent, and whose Error comes back. */
#pragma once

#include <sys/types.h>

#include "base/error.h"

typedef struct Worker {
	pid_t pid;  /* 0: none */
	int answer; /* end of a pipe on which its Error comes */
} Worker;

/* Runs `work` in a child.  -EAGAIN: no child could be made. */
int worker_start(Worker *worker, int (*work)(void *userdata, Error *err), void *userdata,
		 Error *err);

/* Waits until it is done, and returns what `work` returned; 0 if there is none.  After `limit_ms`,
 * unless that is negative, it is killed.  -ETIMEDOUT, or -EIO if it died. */
int worker_finish(Worker *worker, int limit_ms, Error *err);

/* worker_finish(), when what was done beside it came to `done`.  That is returned if it failed,
 * with `err` as it is; else what the worker came to. */
int worker_join(Worker *worker, int done, int limit_ms, Error *err);
