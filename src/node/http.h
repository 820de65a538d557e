/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP server on a unix socket (libmicrohttpd) in an event loop (sd-event). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "node/peer.h"

#define HTTP_BODY_MAX (64U << 10)

typedef struct Http Http;

/* A request that is complete.  It lives until it is answered: exactly once. */
typedef struct HttpCall {
	const char *method, *path;
	const char *body; /* body_size bytes and a NUL byte */
	size_t body_size;
	unsigned verbs; /* that the client may ask for */
} HttpCall;

/* Answers the call, or keeps it and answers later. */
typedef void HttpHandler(HttpCall *call, void *data);

/* Serves `listen_fd` (the server's from now on, if this returns 0) to whom `permits`, which must
 * outlive it, grant something; see client.h for how many and how long. */
int http_open(sd_event *event, int listen_fd, const Permits *permits, HttpHandler *handler,
	      void *data, Http **ret, Error *err);

/* Calls that are not answered yet get no answer. */
void http_close(Http *http);

/* Takes a copy of the text.  -ENOMEM leaves the client without an answer. */
void http_answer(HttpCall *call, unsigned status, const char *type, const char *text);

/* The socket of the client of a call that is not answered yet. */
int http_socket(const HttpCall *call);

/* Shuts down connections as of that time, of clock_monotonic_us(); the server does so by itself
 * when it is due. */
void http_expire(Http *http, int64_t now_us);

/* A listening socket for root and the groups of `permits`; who of them may do what is decided for
 * each call. */
int http_listen(const char *path, const Permits *permits, int *ret_fd, Error *err);
