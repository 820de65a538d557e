/* SPDX-License-Identifier: Apache-2.0 */
/* usage: datagrams PORT       sends back each datagram, over IPv4 and IPv6 */
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static int bound(int family, const struct sockaddr *address, socklen_t size)
{
	int fd = socket(family, SOCK_DGRAM, 0), on = 1;

	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (fd < 0 || bind(fd, address, size) < 0) {
		perror("datagrams: bind");
		exit(1);
	}
	return fd;
}

int main(int argc, char *argv[])
{
	uint16_t port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "0"));
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = port};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = port};
	struct pollfd fds[2] = {{.events = POLLIN}, {.events = POLLIN}};

	fds[0].fd = bound(AF_INET, (struct sockaddr *)&four, sizeof(four));
	fds[1].fd = bound(AF_INET6, (struct sockaddr *)&six, sizeof(six));
	while (poll(fds, 2, -1) > 0)
		for (int i = 0; i < 2; i++) {
			struct sockaddr_storage from;
			socklen_t size = sizeof(from);
			char data[2048];
			ssize_t n;

			if (!(fds[i].revents & POLLIN))
				continue;
			n = recvfrom(fds[i].fd, data, sizeof(data), 0, (struct sockaddr *)&from,
				     &size);
			if (n >= 0 && sendto(fds[i].fd, data, (size_t)n, 0,
					     (struct sockaddr *)&from, size) < 0)
				perror("datagrams: sendto");
		}
	/* Without a handler for signals, poll() must not be interrupted. */
	perror("datagrams: poll");
	return 1;
}
