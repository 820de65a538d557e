/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard output of kept units, which goes to journald over stream sockets.
 *
 * Programs run again before journald does.  So segue-init listens in journald's stead, connects the
 * units' sockets to itself, and writes the notes by which journald knows a stream again after a
 * restart of its own (journald-stream.c: /run/systemd/journal/streams/DEVICE:INODE).  A child of
 * segue-init holds journald's ends until journald is started, whose ExecStartPre= (a run-time
 * drop-in) fetches them and puts them into journald's descriptor store (FDSTORE=1).  journald finds
 * them there with its notes, and goes on reading as if it had always had them; what was written
 * meanwhile waits in the sockets.
 */
#pragma once

#include <json-c/json.h>
#include <stddef.h>

#include "base/error.h"

typedef struct Streams Streams;

/* Binds the sockets of journald and of the service manager that programs may send to before those
 * run. */
int streams_new(Streams **ret, Error *err);

/* A connected client end for a unit's external of kind "journal"; the caller owns it. */
int streams_connect(Streams *streams, json_object *external, int *ret_fd, Error *err);

/* Leaves a child behind that holds journald's ends, and writes journald's drop-in. */
int streams_hold(Streams *streams, Error *err);

/* In journald's ExecStartPre=: fetches them and gives them to the service manager. */
int streams_give(Error *err);
