/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets within the machine: UDP, unix ones, and a TCP connection to itself with unread bytes. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "everything.h"

#define LIMIT_MS 20000

/* A stream of numbers between two descriptors, of which some are always under way. */
typedef struct Stream {
	int in, out;
	uint32_t sent, received;
} Stream;

#define PENDING 50

static void stream_put(Stream *stream)
{
	expect(write(stream->in, &stream->sent, sizeof(stream->sent)) == sizeof(stream->sent),
	       "cannot send: %s", strerror(errno));
	stream->sent++;
}

static void stream_start(Stream *stream, int in, int out)
{
	*stream = (Stream){.in = in, .out = out};
	for (int i = 0; i < PENDING; i++)
		stream_put(stream);
}

static void stream_check(Stream *stream, const char *what)
{
	uint32_t value = 0;

	stream_put(stream);
	expect(readable(stream->out, LIMIT_MS) &&
		       read(stream->out, &value, sizeof(value)) == sizeof(value) &&
		       value == stream->received,
	       "%s: %u arrived, not %u", what, value, stream->received);
	stream->received = value + 1;
}

/* ---- UDP ---- */

static int udp4, udp6;

static void udp_setup(void)
{
	struct sockaddr_in own4 = {.sin_family = AF_INET,
				   .sin_port = htons(own_port),
				   .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct sockaddr_in6 own6 = {.sin6_family = AF_INET6,
				    .sin6_port = htons(own_port),
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int on = 1;

	udp4 = must(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), "socket");
	must(setsockopt(udp4, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), "SO_BROADCAST");
	must(bind(udp4, (struct sockaddr *)&own4, sizeof(own4)), "bind");
	must(connect(udp4, (struct sockaddr *)&own4, sizeof(own4)), "connect");
	udp6 = must(socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0), "socket");
	must(bind(udp6, (struct sockaddr *)&own6, sizeof(own6)), "bind");
	must(connect(udp6, (struct sockaddr *)&own6, sizeof(own6)), "connect");
}

/* A datagram may be lost, three in a row may not. */
static void udp_check_one(int fd, unsigned *lost, const char *what)
{
	char text[8];

	expect(send(fd, "udp", 3, 0) == 3, "%s: cannot send: %s", what, strerror(errno));
	if (readable(fd, 1000) && recv(fd, text, sizeof(text), 0) == 3)
		*lost = 0;
	else
		expect(++*lost < 3, "%s: nothing arrives", what);
}

static void udp_check(void)
{
	static unsigned lost4, lost6;
	int on = 0;
	socklen_t size = sizeof(on);

	udp_check_one(udp4, &lost4, "IPv4");
	udp_check_one(udp6, &lost6, "IPv6");
	expect(getsockopt(udp4, SOL_SOCKET, SO_BROADCAST, &on, &size) == 0 && on,
	       "SO_BROADCAST is off");
}

/* ---- unix sockets ---- */

static Stream pair, packets, connection;
static int unix_listener, datagram_in, datagram_out;

static struct sockaddr_un unix_address(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strncpy(address.sun_path, name, sizeof(address.sun_path) - 1);
	(void)unlink(name);
	return address;
}

static int unix_connect(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "stream-socket"};
	int fd = must(socket(AF_UNIX, SOCK_STREAM, 0), "socket");

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static void unix_setup(void)
{
	struct sockaddr_un address = unix_address("stream-socket");
	int fds[2], fd;

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
	stream_start(&pair, fds[0], fds[1]);
	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), "socketpair");
	stream_start(&packets, fds[0], fds[1]);
	unix_listener = must(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	must(bind(unix_listener, (struct sockaddr *)&address, sizeof(address)), "bind");
	must(listen(unix_listener, 5), "listen");
	fd = must(unix_connect(), "connect");
	stream_start(&connection, fd, must(accept(unix_listener, NULL, NULL), "accept"));
	address = unix_address("datagram-socket");
	datagram_in = must(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), "socket");
	must(bind(datagram_in, (struct sockaddr *)&address, sizeof(address)), "bind");
	datagram_out = must(socket(AF_UNIX, SOCK_DGRAM, 0), "socket");
	must(connect(datagram_out, (struct sockaddr *)&address, sizeof(address)), "connect");
	must((int)send(datagram_out, "d", 1, 0), "send");
}

static void unix_check(void)
{
	char c = 0;
	int fd, accepted;

	stream_check(&pair, "socket pair");
	stream_check(&packets, "sequential packets");
	stream_check(&connection, "connection");
	fd = unix_connect();
	accepted = fd < 0 ? -1 : accept(unix_listener, NULL, NULL);
	expect(accepted >= 0, "the listening socket does not listen: %s", strerror(errno));
	(void)close(fd);
	(void)close(accepted);
	expect(recv(datagram_in, &c, 1, 0) == 1 && c == 'd', "the datagram was '%c'", c);
	expect(send(datagram_out, "d", 1, 0) == 1, "cannot send a datagram: %s", strerror(errno));
}

/* ---- TCP to itself ---- */

static Stream loop4, loop6;
static int loop_fd;

static void loop_connect(int family, const struct sockaddr *address, socklen_t size, Stream *stream)
{
	int listener = must(socket(family, SOCK_STREAM, 0), "socket"), on = 1, fd;

	must(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), "SO_REUSEADDR");
	must(bind(listener, address, size), "bind");
	must(listen(listener, 5), "listen");
	fd = must(socket(family, SOCK_STREAM, 0), "socket");
	must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), "TCP_NODELAY");
	must(connect(fd, address, size), "connect");
	stream_start(stream, fd, must(accept(listener, NULL, NULL), "accept"));
	(void)close(listener);
	loop_fd = fd;
}

static void loop_setup(void)
{
	struct sockaddr_in own4 = {.sin_family = AF_INET,
				   .sin_port = htons((uint16_t)(own_port + 1)),
				   .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct sockaddr_in6 own6 = {.sin6_family = AF_INET6,
				    .sin6_port = htons((uint16_t)(own_port + 2)),
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT};

	loop_connect(AF_INET, (struct sockaddr *)&own4, sizeof(own4), &loop4);
	loop_connect(AF_INET6, (struct sockaddr *)&own6, sizeof(own6), &loop6);
}

static void loop_check(void)
{
	int on = 0;
	socklen_t size = sizeof(on);

	stream_check(&loop4, "IPv4");
	stream_check(&loop6, "IPv6");
	expect(getsockopt(loop_fd, IPPROTO_TCP, TCP_NODELAY, &on, &size) == 0 && on,
	       "TCP_NODELAY is off");
}

const Resource socket_resources[] = {
	{"UDP", udp_setup, udp_check},
	{"unix sockets", unix_setup, unix_check},
	{"TCP to itself", loop_setup, loop_check},
	{0},
};
