/* SPDX-License-Identifier: Apache-2.0 */
/* Running another program and waiting for it. */
#pragma once

#include "base/error.h"

/* Runs argv[0] (an absolute path, or looked up in PATH) with standard input from /dev/null and in a
 * process group of its own, waits at most `limit_ms` (0: for ever) for it to end, then kills the
 * group.  What it leaves in the background goes on, and nobody reads its output any more.  If
 * `ret_output` is given, standard output and error are collected there (the caller frees, also on
 * failure: what was printed until then). Returns 0 if it exited with 0; -EPROTO if it ended
 * otherwise, with its last line of output in the error; -ETIMEDOUT. */
int process_run(const char *const argv[], int limit_ms, char **ret_output, Error *err);
