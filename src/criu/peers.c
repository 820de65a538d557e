/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The eighth thing that criu is given, see shim.c: at the dump it writes a line to the descriptor
 * SEGUE_PEERS for each TCP connection, see swap/peers.h.  What the peer will send next is in criu's
 * images, too, but there the addresses are in one and the sequence numbers in others.
 */
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "criu/next.h"

#ifndef TCP_RECV_QUEUE /* of the kernel's <linux/tcp.h>, which clashes */
#define TCP_RECV_QUEUE 1
#define TCP_SEND_QUEUE 2
#endif

#define ADDRESS_SIZE (INET6_ADDRSTRLEN + 1 + IF_NAMESIZE)

/* The connection that criu asks about: first about one queue, then about the other. */
static struct {
	int fd;
	int queue; /* that the next question is about */
	bool has_received, has_sent;
	uint32_t expected; /* number of the next byte to come in */
	uint32_t acked;    /* that of the first to go out that the peer may lack */
	int queued;        /* bytes from there on */
} asked = {.fd = -1};

/* "192.0.2.1 6379", "2001:db8::1 6379", "fe80::1%eth0 6379". */
static bool end_format(const struct sockaddr_storage *end, char *ret, size_t size)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)end;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)end;
	char address[INET6_ADDRSTRLEN], name[IF_NAMESIZE];

	if (end->ss_family == AF_INET) {
		(void)inet_ntop(AF_INET, &four->sin_addr, address, sizeof(address));
		(void)snprintf(ret, size, "%s %u", address, ntohs(four->sin_port));
		return true;
	}
	if (end->ss_family != AF_INET6)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
		(void)inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12], address, sizeof(address));
		(void)snprintf(ret, size, "%s %u", address, ntohs(six->sin6_port));
		return true;
	}
	(void)inet_ntop(AF_INET6, &six->sin6_addr, address, sizeof(address));
	if (six->sin6_scope_id && if_indextoname(six->sin6_scope_id, name))
		(void)snprintf(ret, size, "%s%%%s %u", address, name, ntohs(six->sin6_port));
	else
		(void)snprintf(ret, size, "%s %u", address, ntohs(six->sin6_port));
	return true;
}

static void peer_write(void)
{
	static int out = -2;
	struct sockaddr_storage local = {0}, remote = {0};
	socklen_t local_size = sizeof(local), remote_size = sizeof(remote);
	char local_text[ADDRESS_SIZE + 8], remote_text[ADDRESS_SIZE + 8];

	if (out == -2) {
		const char *number = getenv("SEGUE_PEERS");

		out = number ? (int)strtol(number, NULL, 10) : -1;
	}
	if (out >= 0 && getsockname(asked.fd, (struct sockaddr *)&local, &local_size) == 0 &&
	    getpeername(asked.fd, (struct sockaddr *)&remote, &remote_size) == 0 &&
	    end_format(&local, local_text, sizeof(local_text)) &&
	    end_format(&remote, remote_text, sizeof(remote_text)))
		(void)dprintf(out, "%s %s %u %u %d\n", local_text, remote_text, asked.expected,
			      asked.acked, asked.queued);
}

static void queue_note(int fd, uint32_t number)
{
	if (fd != asked.fd)
		asked.has_received = asked.has_sent = false;
	asked.fd = fd;
	if (asked.queue == TCP_RECV_QUEUE) {
		asked.expected = number;
		asked.has_received = true;
	} else if (asked.queue == TCP_SEND_QUEUE && ioctl(fd, SIOCOUTQ, &asked.queued) == 0) {
		asked.acked = number - (uint32_t)asked.queued;
		asked.has_sent = true;
	}
	if (!asked.has_received || !asked.has_sent)
		return;
	peer_write();
	asked.fd = -1;
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	static int (*real)(int, int, int, const void *, socklen_t);

	if (!real)
		next_function("setsockopt", &real);
	if (level == IPPROTO_TCP && option == TCP_REPAIR_QUEUE && size == sizeof(int))
		asked.queue = *(const int *)value;
	return real(fd, level, option, value, size);
}

int getsockopt(int fd, int level, int option, void *restrict value, socklen_t *restrict size)
{
	static int (*real)(int, int, int, void *, socklen_t *);
	int r;

	if (!real)
		next_function("getsockopt", &real);
	r = real(fd, level, option, value, size);
	if (r == 0 && level == IPPROTO_TCP && option == TCP_QUEUE_SEQ)
		queue_note(fd, *(const uint32_t *)value);
	return r;
}
