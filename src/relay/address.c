/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>

int address_parse(const char *text, int64_t port, Address *ret, Error *err)
{
	Address a = {0};
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)&a.socket;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&a.socket;

	if (port < 0 || port > UINT16_MAX)
		return error_set(err, -EINVAL, "%lld is not a port", (long long)port);
	if (inet_pton(AF_INET, text, &ipv4->sin_addr) == 1) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = htons((uint16_t)port);
		a.length = sizeof(*ipv4);
	} else if (inet_pton(AF_INET6, text, &ipv6->sin6_addr) == 1) {
		ipv6->sin6_family = AF_INET6;
		ipv6->sin6_port = htons((uint16_t)port);
		a.length = sizeof(*ipv6);
	} else {
		return error_set(err, -EINVAL, "\"%.64s\" is not an address; write it in numbers",
				 text);
	}
	(void)snprintf(a.text, sizeof(a.text), "%.45s port %d", text, (int)port);
	*ret = a;
	return 0;
}

int address_port(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
	} address = {.ipv6 = {0}};
	socklen_t length = sizeof(address);

	if (getsockname(fd, &address.any, &length) < 0)
		return -errno;
	return ntohs(address.any.sa_family == AF_INET ? address.ipv4.sin_port
						      : address.ipv6.sin6_port);
}
