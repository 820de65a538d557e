/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a hub, on one connection that is kept.  Of several hubs, that which was reached last, or
 * which another one has said leads. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>

#include "base/error.h"

typedef struct Session Session;

/* Called about once a second while an answer is waited for; false ends that. */
typedef bool SessionTick(void *data);

typedef struct SessionOptions {
	const char *hub;       /* HOST:PORT, or several with spaces between them */
	const char *authority; /* path of the certificate, PEM; NULL: whoever answers is believed */
	const char *certificate; /* ours, and its key: paths; NULL: none */
	const char *key;
} SessionOptions;

/* Connects to nothing yet.  The texts are copied. */
int session_open(const SessionOptions *options, Session **ret, Error *err);
void session_close(Session *session);
static inline void cleanup_session(Session **session)
{
	session_close(*session);
}
#define _cleanup_session_ __attribute__((cleanup(cleanup_session)))

/* NULL: none. */
void session_set_tick(Session *session, SessionTick *tick, void *data);

/* Connects from this address of the machine. */
void session_set_source(Session *session, const char *address);

/* The address of the hub, as it was connected to last; "": it was not. */
const char *session_peer(Session *session);

/* HOST:PORT of the hub that is asked now: of several it may change from one request to the next. */
const char *session_hub(const Session *session);

/* The bytes of a file of at most `max`; the caller frees them.  As session_ask(). */
int session_read(Session *session, const char *path, size_t max, long limit_s, char **ret,
		 size_t *ret_size, Error *err);

/*
 * One request; `body` may be NULL, and so may `ret`, which gets the answer; the caller puts it.
 * -EHOSTUNREACH: there was no answer; -EPROTO: it is not the hub; -EINTR: the tick ended it;
 * -EBADMSG: the answer is none; others as the hub says: see transfer_refused().
 */
int session_ask(Session *session, const char *method, const char *path, json_object *body,
		long limit_s, json_object **ret, Error *err);
