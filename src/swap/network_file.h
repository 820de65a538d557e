/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of a saved network configuration: a header, then the netlink
 * messages of all lists as the kernel gave them, told apart by their type.
 *
 *   bytes 0-7    "SEGUENET"
 *         8-11   version, 1
 *         12-15  CRC-32 (IEEE 802.3) of the body
 *         16-23  size of the body in bytes
 *
 * The types are RTM_NEWLINK, RTM_NEWADDR and so on, and NETWORK_FILE_CONTROL:
 * no header of a family, then two attributes with texts, NETWORK_FILE_PATH
 * (below /proc/sys/net) and NETWORK_FILE_VALUE.  A link that a device is behind
 * has that as the attribute NETWORK_FILE_DEVICE.
 *
 * All numbers are in the machine's byte order: a file never leaves its machine.
 * The messages are the kernel's user-space interface, so another kernel
 * version understands them; what is sent back is chosen attribute by attribute.
 */
#pragma once

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "swap/netlink.h"

#define NETWORK_FILE_NAME    "configuration"
#define NETWORK_FILE_VERSION 1

#define NETWORK_FILE_CONTROL 0x7000
#define NETWORK_FILE_PATH    1
#define NETWORK_FILE_VALUE   2
#define NETWORK_FILE_DEVICE  0x3000

typedef struct NetworkFile {
	char *body; /* whole messages; NULL while empty */
	size_t size, room;
} NetworkFile;

void network_file_free(NetworkFile *file);
#define _cleanup_network_file_ _cleanup_(network_file_free)

int network_file_append(NetworkFile *file, const struct nlmsghdr *header, Error *err);

/* Decides whether a message of a dump is kept; may also append to the file what it wants kept in
 * its place.  1: keep it, 0: leave it out, or -errno. */
typedef int (*NetworkFileFilter)(NetworkFile *file, const struct nlmsghdr *header, Error *err);

/* Appends the messages of a dump.  A list that changes while it is read is read again. */
int network_file_dump(NetworkFile *file, Netlink *netlink, NetlinkMessage *request, Error *err);

/* As that, what `filter` (NULL: all) lets through of the answer to a request `type` with a family's
 * header of `family_size` bytes that is zero but for the family, its first byte.  Nothing, if the
 * kernel does not know the request or the family. */
int network_file_list(NetworkFile *file, Netlink *netlink, uint16_t type, uint8_t family,
		      size_t family_size, NetworkFileFilter filter, Error *err);

/* Not synced: the programs stand still, and the filesystem of the capture is synced as a whole. */
int network_file_write(const NetworkFile *file, int dirfd, Error *err);

/* -EBADMSG says what is wrong with it: cut off, not such a file, of another version, altered.  What
 * is returned are whole messages of known types, each at least as long as the header of its family.
 */
int network_file_read(int dirfd, NetworkFile *ret, Error *err);

/* Steps through the messages of a type (0: all): the first with NULL for `previous`; NULL at the
 * end. */
const struct nlmsghdr *network_file_next(const NetworkFile *file, uint16_t type,
					 const struct nlmsghdr *previous);
