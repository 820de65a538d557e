/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP server (libmicrohttpd) in an event loop (sd-event): on a unix socket, or with TLS. */
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/error.h"

#define HTTP_BODY_MAX (64U << 10)

typedef struct Http Http;

/* A request.  It lives until it is answered: exactly once. */
typedef struct HttpCall {
	const char *method, *path;
	const char *body; /* body_size bytes and a NUL byte */
	size_t body_size;
	size_t body_max;      /* HTTP_BODY_MAX, unless `begin` sets another */
	int sink;             /* -1; `begin` may give a file that the body is written to instead */
	int socket;           /* the client's */
	gnutls_session_t tls; /* NULL: a unix socket */
	void **peer;          /* whatever the service remembers of the connection */
} HttpCall;

typedef struct HttpTls {
	const char *trust; /* PEM: clients are asked for a certificate of these; whether it is
			      valid is for the service to find out */
	gnutls_certificate_retrieve_function2 *certificate; /* the server's, for each handshake */
} HttpTls;

typedef struct HttpService {
	/* Called once a request is complete: answers it, or keeps it and answers later. */
	void (*handle)(HttpCall *call, void *data);
	/* NULL, or called before the body comes.  May answer: then the body is not read. */
	void (*begin)(HttpCall *call, void *data);
	void (*peer_free)(void *peer); /* NULL: nothing is remembered */
	void *data;
	const HttpTls *tls;       /* NULL: none; lives as long as the server */
	unsigned connections_max; /* more have to wait */
	unsigned idle_limit_s;    /* a connection that is silent between requests is closed */
	size_t connection_memory; /* bytes; 0: as the library thinks */
} HttpService;

/* Serves `listen_fd` (the server's from now on, if this returns 0). */
int http_open(sd_event *event, int listen_fd, const HttpService *service, Http **ret, Error *err);

/* Takes no new connections; those there are go on. */
void http_quiesce(Http *http);

/* Calls that are not answered yet get no answer. */
void http_close(Http *http);

unsigned http_connections(const Http *http);

/* Takes a copy of the text.  -ENOMEM leaves the client without an answer. */
void http_answer(HttpCall *call, unsigned status, const char *type, const char *text);

/* A part of a file, which the server closes. */
void http_answer_file(HttpCall *call, const char *type, int fd, uint64_t offset, uint64_t size);

/* An argument behind the path's question mark; NULL: it is not there. */
const char *http_argument(const HttpCall *call, const char *name);

/* A header of the request; NULL: it is not there. */
const char *http_header(const HttpCall *call, const char *name);

/* A listening socket for the user that runs this, and root. */
int http_listen(const char *path, int *ret_fd, Error *err);
