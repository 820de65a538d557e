/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capturing kept units: what they are, stopping them all at one instant, and writing what is needed
 * to make them again.
 *
 * A capture is a directory of the store:
 *   capture.json          everything but memory; see capture.c
 *   unit-N/tree-PID/      CRIU's images of one process tree, and what waits in its sockets
 *     pre-N/              its memory as copied in round N, see warm.h
 *     peers               the other ends of its TCP connections, see peers.h
 *     mount-N/            files of its private mounts in memory
 *   tmpfs-N/              files carried from the host's memory filesystems
 *   network/              see network.h
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "swap/mounts.h"
#include "swap/tasks.h"

#define CAPTURE_FILE    "capture.json"
#define CAPTURE_VERSION 1

typedef struct KeptUnit {
	char *name;                 /* "redis-server.service" */
	char *cgroup;               /* "/system.slice/redis-server.service" */
	char *kind;                 /* "service" or "scope" */
	json_object *scope;         /* see scope_describe(); NULL if it is none */
	pid_t main_pid;             /* 0 if it has none (scopes) */
	char **runtime_directories; /* below /run, NULL-terminated, or NULL */
	char **unit_files; /* its unit file and drop-ins: those in /run are carried; NULL-terminated
			    */
	char *status;      /* what it last told systemd about itself, or NULL */
	char *health_check, *pre_freeze, *post_thaw; /* see UnitOptions; or NULL */
	int cgroup_fd;                               /* while frozen, else -1 */
	TaskList tasks;
	json_object *description; /* its part of capture.json */
} KeptUnit;

typedef struct KeptUnits {
	KeptUnit *units;
	size_t n;
} KeptUnits;

void kept_units_free(KeptUnits *kept);

/* Memory that the processes occupy now (RSS), in bytes. */
int64_t kept_unit_memory(const KeptUnit *unit);

/* Stops all of them at one instant: no process of any runs between the first return of this and the
 * thaw. On failure all are thawed again. */
int capture_freeze(KeptUnits *kept, Error *err);
void capture_thaw(KeptUnits *kept);

/* Reads the units' processes and describes what they use; adds what cannot be carried to
 * `findings`.  Whether they are frozen does not matter.  `dirfd`: the capture, or -1 to write
 * nothing. */
int capture_describe(KeptUnits *kept, const MountTable *host, int dirfd, json_object *findings,
		     Error *err);

/* As that, of one of them only: element `number`. */
int capture_describe_unit(KeptUnits *kept, size_t number, const MountTable *host, int dirfd,
			  json_object *findings, Error *err);

/* Notes in the descriptions which trees' memory may come after their programs run again. */
void capture_choose_lazy(const KeptUnits *kept);

/* Saves what waits to be read in sockets between kept units, and notes it in their descriptions.
 * All must be frozen. */
int capture_queues(const KeptUnits *kept, int dirfd, Error *err);

/* Runs CRIU on every tree of every unit, as many units at once as there are processors.  The
 * processes must be frozen and are afterwards. */
int capture_dump(const KeptUnits *kept, int dirfd, Error *err);

/* What is left: files in memory, and capture.json with `header`'s members (id, from, to ...). */
int capture_finish(const KeptUnits *kept, const MountTable *host, int dirfd, json_object *header,
		   Error *err);

/* Reads that again and checks all that restore goes by, before anything is acted on: types, and
 * that no name leads out of its directory.  -EBADMSG names the member.  The caller puts it. */
int capture_read(int dirfd, json_object **ret, Error *err);
