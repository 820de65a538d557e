/* SPDX-License-Identifier: Apache-2.0 */
/* The unix sockets of the caller's network namespace and who is connected to whom (unix(7),
 * sock_diag(7)). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct UnixSocket {
	uint32_t inode, peer; /* peer: inode, 0 if not connected */
	uint8_t type;         /* SOCK_STREAM ... */
	bool listening;
	uint32_t file_inode; /* of the socket's file, 0 if it has none; of its lower 32 bits */
	char name[109];      /* path, or "@name" if abstract; "" if not bound */
} UnixSocket;

typedef struct UnixSockets {
	UnixSocket *sockets;
	size_t n;
} UnixSockets;

int unix_sockets_read(UnixSockets *ret, Error *err);
void unix_sockets_free(UnixSockets *list);
const UnixSocket *unix_sockets_find(const UnixSockets *list, uint32_t inode);
