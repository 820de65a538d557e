/* SPDX-License-Identifier: Apache-2.0 */
/* What is done on another processor while segue-init goes on. */
#pragma once

#include <json-c/json.h>

#include "base/error.h"
#include "base/worker.h"

typedef struct ModuleWorkers {
	Worker probe, others;
} ModuleWorkers;

/* Loads the modules that the root filesystem does not take: two lists beside each other. */
int beside_load_modules(ModuleWorkers *workers, json_object *handover, Error *err);
int beside_finish_modules(ModuleWorkers *workers, int limit_ms, Error *err);

/* Has criu find out what the running kernel can do, and leave that where each criu looks for it
 * (/run/criu.kdat): it takes half a second of processor time, which else each would spend that
 * restores a tree.  beside_load_modules() must have been begun: for each module that criu misses
 * the kernel would run modprobe, which takes as long again as all the rest. */
int beside_probe(Worker *worker, Error *err);

/* Has the kernel read the captures that will be needed at once into memory; nobody waits for it. */
void beside_read_ahead(int store_fd);
