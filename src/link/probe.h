/* SPDX-License-Identifier: Apache-2.0 */
/* What whoever answers under the name of a hub tells anybody: nothing of it is to be believed. */
#pragma once

#include <stdint.h>

#include "base/error.h"

typedef struct Probe {
	char *authority; /* its certificate, PEM */
	int64_t ahead_s; /* how far this machine's clock is ahead of the hub's */
} Probe;

void probe_release(Probe *probe);
#define _cleanup_probe_ __attribute__((cleanup(probe_release)))

/* Errors as session_ask(). */
int probe(const char *hub, Probe *ret, Error *err);

/* After a certificate of the hub did not count, which is what `err` says and `code` is: appends
 * that the clocks differ, if they do; that is the reason then.  Returns the code. */
int probe_explain(const char *hub, int code, Error *err);
