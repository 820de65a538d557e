/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a service over its unix socket. */
#pragma once

#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

typedef struct TransferTarget {
	const char *name;   /* of the service */
	const char *socket; /* path */
	const char *who;    /* may connect, and what to do */
	long limit_ms;      /* for the answer; 0: none */
} TransferTarget;

/*
 * One request on a connection of its own.  `body` may be NULL.  `ret_body` (may be NULL) gets the
 * answer, which the caller puts; NULL if that is null. What is answered with an error becomes one:
 * -EACCES, -EBUSY, -ENOENT, -EINVAL, -ECANCELED (refused), -EEXIST, -EKEYREJECTED or -EIO.
 * -ECONNREFUSED: it does not run; -ECONNRESET: it went away meanwhile.
 */
int transfer_ask(const TransferTarget *target, const char *method, const char *path,
		 json_object *body, json_object **ret_body, Error *err);

/* Writes what is there to a file. */
int transfer_file(const TransferTarget *target, const char *path, FILE *to, Error *err);

/* Sends a file with PUT, from where it is; `size` bytes.  As transfer_ask(). */
int transfer_send(const TransferTarget *target, const char *path, int fd, int64_t size, Error *err);

/* What an answer with an error says becomes one, as above: it is the whole story, and names what
 * was attempted.  `by`: the service; `body` may be NULL. */
int transfer_refused(const char *by, json_object *body, long status, Error *err);
