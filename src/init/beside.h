/* SPDX-License-Identifier: Apache-2.0 */
/* What is done on another processor while segue-init goes on. */
#pragma once

#include <json-c/json.h>

#include "base/error.h"
#include "base/worker.h"

/* Loads the modules that the root filesystem does not take. */
int beside_load_modules(Worker *worker, json_object *handover, Error *err);

/* criu tries TCP repair on a connection with itself, and would wait for ever where there is none.
 */
int beside_loopback_up(Error *err);

/* Has criu find out what the running kernel can do for restoring (SEGUE_PROBE in src/criu/shim.c),
 * and leave that where each criu looks for it: it takes half a second of processor time, which else
 * each would spend that restores a tree.  To be forgotten when all is restored, since a dump wants
 * to know more. */
int beside_probe(Worker *worker, Error *err);
void beside_probe_forget(void);

/* Has the kernel read the captures that will be needed at once into memory; nobody waits for it. */
void beside_read_ahead(int store_fd);
