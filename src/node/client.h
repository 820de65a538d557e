/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is connected to the socket: so that nobody but root can take all of the server's connections,
 * by their number or by never finishing a request.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#define CLIENTS_MOST     256 /* connections at once */
#define CLIENTS_OF_OTHER 192 /* of these, for those who are not root */
#define CLIENTS_OF_USER  32  /* and for one of them */

/* For a request to arrive whole, counted from the connection or the last answer; and for the answer
 * to be taken. */
#define CLIENT_LIMIT_US ((int64_t)30 * 1000000)

typedef struct Clients Clients;
typedef struct Client Client;

/* NULL without memory. */
Clients *clients_new(void);
void clients_free(Clients *clients);

/* A connection; NULL, and it is shut down, if there are too many of its user, or no memory.  `fd`
 * stays the caller's, and open as long as the client. */
Client *client_new(Clients *clients, int fd, int64_t now_us);
void client_free(Client *client);

/* It has asked, and it is not its fault if that takes time. */
void client_served(Client *client);
/* It has its answer, and may ask again. */
void client_answered(Client *client, int64_t now_us);

/* Shuts down the connections whose time is over.  Times are those of clock_monotonic_us(). */
void clients_expire(Clients *clients, int64_t now_us);

/* When that is next to be done; INT64_MAX if there is nothing to wait for. */
int64_t clients_due_us(const Clients *clients);
