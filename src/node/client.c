/* SPDX-License-Identifier: Apache-2.0 */
#include "node/client.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>

struct Client {
	int fd;
	uid_t uid;
	int64_t due_us; /* INT64_MAX: it waits for us */
	Client *next, **link;
};

struct Clients {
	Client *first;
};

Clients *clients_new(void)
{
	return calloc(1, sizeof(Clients));
}

void clients_free(Clients *clients)
{
	while (clients && clients->first)
		client_free(clients->first);
	free(clients);
}

static int fits(const Clients *clients, uid_t uid)
{
	unsigned others = 0, own = 0;

	for (const Client *c = clients->first; c; c = c->next) {
		others += c->uid != 0;
		own += c->uid == uid;
	}
	return uid == 0 || (others < CLIENTS_OF_OTHER && own < CLIENTS_OF_USER);
}

Client *client_new(Clients *clients, int fd, int64_t now_us)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t size = sizeof(peer);
	Client *client = NULL;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && fits(clients, peer.uid))
		client = malloc(sizeof(*client));
	if (!client) {
		(void)shutdown(fd, SHUT_RDWR);
		return NULL;
	}
	*client = (Client){.fd = fd,
			   .uid = peer.uid,
			   .due_us = now_us + CLIENT_LIMIT_US,
			   .next = clients->first,
			   .link = &clients->first};
	if (clients->first)
		clients->first->link = &client->next;
	clients->first = client;
	return client;
}

void client_free(Client *client)
{
	if (!client)
		return;
	*client->link = client->next;
	if (client->next)
		client->next->link = client->link;
	free(client);
}

void client_served(Client *client)
{
	if (client)
		client->due_us = INT64_MAX;
}

void client_answered(Client *client, int64_t now_us)
{
	if (client)
		client->due_us = now_us + CLIENT_LIMIT_US;
}

void clients_expire(Clients *clients, int64_t now_us)
{
	for (Client *c = clients->first; c; c = c->next) {
		if (c->due_us > now_us)
			continue;
		(void)shutdown(c->fd, SHUT_RDWR);
		c->due_us = INT64_MAX; /* once is enough: the server closes it */
	}
}

int64_t clients_due_us(const Clients *clients)
{
	int64_t due = INT64_MAX;

	for (const Client *c = clients->first; c; c = c->next)
		due = c->due_us < due ? c->due_us : due;
	return due;
}
