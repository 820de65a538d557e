/* SPDX-License-Identifier: Apache-2.0 */
/* Where a node listens: a numeric address, so that nothing waits for a name server. */
#pragma once

#include <sys/socket.h>

#include "base/error.h"

typedef struct Address {
	struct sockaddr_storage socket;
	socklen_t length;
	char text[64]; /* "192.0.2.1 port 7" */
} Address;

/* -EINVAL: not an IPv4 or IPv6 address, or not a port. */
int address_parse(const char *text, int64_t port, Address *ret, Error *err);

/* The port that a socket has. */
int address_port(int fd);
