/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the processes of a tree hold open that CRIU cannot carry by itself: either segue carries it
 * (an "external") or it stands in the way (a finding).
 *
 * Externals are JSON objects:
 *   { "kind": "file", "key": "file[MNT:INODE]", "path": host path, "flags": open(2) flags,
 *     "inode": n }
 *       opened outside the mount namespace that the processes are in now
 *   { "kind": "journal", "inode": n, "flags": n, "stream": text of journald's state file or null }
 *       standard output to journald
 *   { "kind": "datagram", "inode": n, "flags": n, "path": "/run/systemd/journal/dev-log",
 *     "pid": n, "fd": n }
 *       datagram socket connected to a socket of the system's; `pid` and `fd` are one holder of it
 *   { "kind": "pair", "inode": n, "peer": n, "type": n, "flags": n, "pid": n, "fd": n,
 *     "peer_root": n }
 *       connected to a process of another kept tree; `pid` and `fd` are one holder of it
 *   { "kind": "closed", "inode": n, "type": n, "flags": n }
 *       connected to a process that is not kept: will find the connection closed
 */
#pragma once

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "swap/mounts.h"
#include "swap/sockets.h"
#include "swap/tasks.h"

/* Who among the kept processes holds which socket, pipe or memory file: by inode of the anonymous
 * filesystem. */
typedef struct Holder {
	char kind; /* 's'ocket, 'p'ipe, 'm'emory file */
	uint64_t inode;
	pid_t root; /* of the holder's tree */
	pid_t pid;
	int fd;
} Holder;

typedef struct Holders {
	Holder *holders;
	size_t n;
} Holders;

int holders_add(Holders *holders, const TaskList *tasks, Error *err);
void holders_free(Holders *holders);

/* Adds to `externals` and `findings` what the tree below `root` holds.  `unit` names it in
 * findings. */
int descriptors_describe(const char *unit, const TaskList *tasks, pid_t root,
			 const Holders *holders, const UnixSockets *sockets, json_object *externals,
			 json_object *findings, Error *err);

/* A descriptor of another process as one's own (pidfd_getfd(2)), or -errno. */
int descriptor_take(pid_t pid, int fd);
