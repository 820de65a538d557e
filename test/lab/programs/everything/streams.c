/* SPDX-License-Identifier: Apache-2.0 */
/* TCP with another host: as its client, and as a server in an epoll loop of its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "everything.h"

enum { OUT4, OUT6, IN4, IN6 };

/* How far the peer's answers may be behind. */
#define WINDOW 20

/* ---- client: numbers go out and come back ---- */

static struct Client {
	const char *what;
	int fd;
	uint32_t sent, received;
	bool lost;
} clients[2] = {{.what = "IPv4"}, {.what = "IPv6"}};

static void client_setup(void)
{
	struct sockaddr_in address4 = {.sin_family = AF_INET, .sin_port = htons(peer_port)};
	struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_port = htons(peer_port)};

	if (inet_pton(AF_INET, peer4, &address4.sin_addr) != 1 ||
	    inet_pton(AF_INET6, peer6, &address6.sin6_addr) != 1)
		give_up("address of the peer");
	clients[OUT4].fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
	must(connect(clients[OUT4].fd, (struct sockaddr *)&address4, sizeof(address4)), peer4);
	clients[OUT6].fd = must(socket(AF_INET6, SOCK_STREAM, 0), "socket");
	must(connect(clients[OUT6].fd, (struct sockaddr *)&address6, sizeof(address6)), peer6);
}

static void client_exchange(struct Client *client, int which)
{
	uint32_t value;
	ssize_t n;

	if (client->sent - client->received < WINDOW) {
		n = send(client->fd, &client->sent, sizeof(client->sent), MSG_NOSIGNAL);
		expect(n == sizeof(client->sent), "%s: cannot send: %s", client->what,
		       strerror(errno));
		client->lost = n < 0;
		client->sent++;
	}
	while ((n = recv(client->fd, &value, sizeof(value), MSG_PEEK | MSG_DONTWAIT)) ==
	       sizeof(value)) {
		(void)recv(client->fd, &value, sizeof(value), 0);
		expect(value == client->received, "%s: %u came back, not %u", client->what, value,
		       client->received);
		client->received = value + 1;
		atomic_fetch_add(&shared->exchanged[which], 1);
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		violation("%s: the connection is gone: %s", client->what,
			  n == 0 ? "closed" : strerror(errno));
		client->lost = true;
	}
}

static void client_check(void)
{
	for (int i = OUT4; i <= OUT6; i++)
		if (!clients[i].lost)
			client_exchange(&clients[i], i);
}

/* ---- server: what comes in goes back, in a process of its own ---- */

static int listeners[2], server_epoll;

static void watch(int fd, int which)
{
	struct epoll_event event = {.events = EPOLLIN,
				    .data = {.u64 = (uint64_t)which << 32 | (uint32_t)fd}};

	must(epoll_ctl(server_epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

static void serve(int fd, int which)
{
	char data[4096];
	ssize_t n;

	if (fd == listeners[0] || fd == listeners[1]) {
		int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		expect(accepted >= 0, "cannot accept: %s", strerror(errno));
		if (accepted >= 0)
			watch(accepted, which);
		return;
	}
	n = recv(fd, data, sizeof(data), 0);
	if (n > 0)
		expect(send(fd, data, (size_t)n, MSG_NOSIGNAL) == n, "cannot answer: %s",
		       strerror(errno));
	/* That the peer is through is its own business; it knows whether it was reset. */
	if (n <= 0)
		(void)close(fd);
	for (ssize_t i = 0; i < n; i++)
		if (data[i] == '\n')
			atomic_fetch_add(&shared->exchanged[which], 1);
}

static void server_loop(void)
{
	/* Made here: what is added to it later is open in this process alone, and CRIU looks for
	 * that in the first process that has the epoll descriptor. */
	server_epoll = must(epoll_create1(0), "epoll_create1");
	for (int i = 0; i < 2; i++)
		watch(listeners[i], IN4 + i);
	for (;;) {
		struct epoll_event event;

		if (epoll_wait(server_epoll, &event, 1, -1) == 1)
			serve((int)(uint32_t)event.data.u64, (int)(event.data.u64 >> 32));
	}
}

static void server_setup(void)
{
	struct sockaddr_in address4 = {.sin_family = AF_INET, .sin_port = htons(own_port)};
	struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_port = htons(own_port)};
	int on = 1;

	listeners[0] = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
	listeners[1] = must(socket(AF_INET6, SOCK_STREAM, 0), "socket");
	must(setsockopt(listeners[1], IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), "IPV6_V6ONLY");
	for (int i = 0; i < 2; i++)
		must(setsockopt(listeners[i], SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)),
		     "SO_REUSEADDR");
	must(bind(listeners[0], (struct sockaddr *)&address4, sizeof(address4)), "bind");
	must(bind(listeners[1], (struct sockaddr *)&address6, sizeof(address6)), "bind");
	for (int i = 0; i < 2; i++)
		must(listen(listeners[i], 16), "listen");
	(void)helper(server_loop);
}

static void server_check(void)
{
	int on = 0;
	socklen_t size = sizeof(on);

	for (int i = 0; i < 2; i++)
		expect(getsockopt(listeners[i], SOL_SOCKET, SO_ACCEPTCONN, &on, &size) == 0 && on,
		       "it does not listen any more");
}

const Resource stream_resources[] = {
	{"TCP to another host", client_setup, client_check},
	{"TCP from another host", server_setup, server_check},
	{0},
};
