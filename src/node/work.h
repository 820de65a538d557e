/* SPDX-License-Identifier: Apache-2.0 */
/* What would block segued runs in a child of it, which outlives a restart of segued. */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "node/answer.h"

/* `body` is borrowed, and NULL if the answer was null or `err->code` is negative. */
typedef void WorkDone(json_object *body, const Error *err, void *data);

/*
 * Forks a child named `name` that runs the answer; `done` gets the result, from the event loop.
 * `lock_fd` is the child's alone from now on (-1: none; closed also on failure).  `ret_pid`, which
 * may be NULL, is the child until `done`.
 */
int work_start(sd_event *event, const char *name, Answer *answer, const Question *question,
	       int lock_fd, WorkDone *done, void *data, pid_t *ret_pid, Error *err);
