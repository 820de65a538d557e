/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

#define BACKLOG 4096 /* a fleet comes back at once; the kernel caps it at net.core.somaxconn */

static void cleanup_addresses(struct addrinfo **list)
{
	if (*list)
		freeaddrinfo(*list);
}

/* Takes "[::1]:80" apart; NULL: all addresses. */
static int where_split(const char *where, char host[256], const char **ret_port, Error *err)
{
	const char *colon = strrchr(where, ':');
	size_t n = colon ? (size_t)(colon - where) : 0;

	*ret_port = colon ? colon + 1 : where;
	host[0] = '\0';
	if (n >= 2 && where[0] == '[' && where[n - 1] == ']') {
		where++;
		n -= 2;
	}
	if (n >= 256 || !**ret_port || (*ret_port)[strspn(*ret_port, "0123456789")])
		return error_set(err, -EINVAL,
				 "\"%.64s\" is no place to listen: it must be ADDRESS:PORT or PORT",
				 where);
	memcpy(host, where, n);
	host[n] = '\0';
	return 0;
}

static int address_listen(const struct addrinfo *address, int *ret_fd)
{
	_cleanup_close_ int fd =
		socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, off = 0;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (address->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	*ret_fd = steal_fd(&fd);
	return 0;
}

static unsigned port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in ip4;
		struct sockaddr_in6 ip6;
	} address = {0};
	socklen_t size = sizeof(address);

	if (getsockname(fd, &address.any, &size) < 0)
		return 0;
	return ntohs(address.any.sa_family == AF_INET6 ? address.ip6.sin6_port
						       : address.ip4.sin_port);
}

int listen_open(const char *where, int *ret_fd, unsigned *ret_port, Error *err)
{
	_cleanup_(cleanup_addresses) struct addrinfo *list = NULL;
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
				 .ai_socktype = SOCK_STREAM};
	char host[256];
	const char *port;
	int r = where_split(where, host, &port, err), fd = -1, e;

	if (r < 0)
		return r;
	e = getaddrinfo(*host ? host : NULL, port, &hints, &list);
	if (e != 0)
		return error_set(err, -EINVAL, "Listening on %s: %s", where, gai_strerror(e));
	r = -EADDRNOTAVAIL;
	/* The one of IPv6 takes IPv4 as well, so it is tried first. */
	for (const struct addrinfo *p = list; p && r < 0; p = p->ai_next)
		if (p->ai_family == AF_INET6)
			r = address_listen(p, &fd);
	for (const struct addrinfo *p = list; p && r < 0; p = p->ai_next)
		if (p->ai_family == AF_INET)
			r = address_listen(p, &fd);
	if (r < 0)
		return error_errno(err, r, "Listening on %s", where);
	*ret_port = port_of(fd);
	*ret_fd = fd;
	return 0;
}
