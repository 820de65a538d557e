/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/network_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define MAGIC      "SEGUENET"
#define MODE       0600
#define DUMP_TRIES 20

typedef struct FileHeader {
	char magic[8];
	uint32_t version;
	uint32_t checksum;
	uint64_t size;
} FileHeader;

/* What the file can hold, and how long the header of the family is. */
static const struct {
	uint16_t type;
	size_t family_size;
} type_table[] = {
	{RTM_NEWLINK, sizeof(struct ifinfomsg)},
	{RTM_NEWADDR, sizeof(struct ifaddrmsg)},
	{RTM_NEWNEXTHOP, sizeof(struct nhmsg)},
	{RTM_NEWROUTE, sizeof(struct rtmsg)},
	{RTM_NEWRULE, sizeof(struct fib_rule_hdr)},
	{RTM_NEWNEIGH, sizeof(struct ndmsg)},
	{NETWORK_FILE_CONTROL, 0},
};

void network_file_free(NetworkFile *file)
{
	free(file->body);
	*file = (NetworkFile){0};
}

/* CRC-32 bit by bit: the files are small. */
static uint32_t checksum_of(const char *data, size_t size)
{
	uint32_t crc = ~0U;

	for (size_t i = 0; i < size; i++) {
		crc ^= (unsigned char)data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320U : 0);
	}
	return ~crc;
}

int network_file_append(NetworkFile *file, const struct nlmsghdr *header, Error *err)
{
	size_t size = header->nlmsg_len, padded = NLMSG_ALIGN(size);

	if (file->room - file->size < padded) {
		size_t room = (file->size + padded) * 2;
		char *body = realloc(file->body, room);

		if (!body)
			return error_errno(err, -ENOMEM, "Listing the network's configuration");
		file->body = body;
		file->room = room;
	}
	memcpy(file->body + file->size, header, size);
	memset(file->body + file->size + size, 0, padded - size);
	file->size += padded;
	return 0;
}

static int dump_append(const struct nlmsghdr *header, void *context, Error *err)
{
	return network_file_append(context, header, err);
}

int network_file_dump(NetworkFile *file, Netlink *netlink, NetlinkMessage *request, Error *err)
{
	size_t before = file->size;

	for (int tries = 1;; tries++) {
		int r = netlink_dump(netlink, request, dump_append, file, err);

		if (r >= 0)
			return 0;
		file->size = before;
		if (r != -EINTR || tries == DUMP_TRIES)
			return r;
	}
}

int network_file_list(NetworkFile *file, Netlink *netlink, uint16_t type, uint8_t family,
		      size_t family_size, NetworkFileFilter filter, Error *err)
{
	_cleanup_network_file_ NetworkFile all = {0};
	NETLINK_BUFFER(buffer, 64);
	NetlinkMessage m;
	uint8_t *header;
	int r;

	netlink_message_init(&m, buffer, sizeof(buffer));
	header = netlink_message_begin(&m, type, 0, family_size);
	if (header)
		*header = family;
	r = network_file_dump(&all, netlink, &m, err);
	if (r == -EOPNOTSUPP || r == -EAFNOSUPPORT)
		return 0;
	if (r < 0)
		return r;
	for (const struct nlmsghdr *h = NULL; (h = network_file_next(&all, 0, h));) {
		/* A family that is switched off gets an answer for all families. */
		if (h->nlmsg_len < NLMSG_LENGTH(family_size) || *(const uint8_t *)(h + 1) != family)
			continue;
		r = filter ? filter(file, h, err) : 1;
		if (r > 0)
			r = network_file_append(file, h, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int network_file_write(const NetworkFile *file, int dirfd, Error *err)
{
	FileHeader header = {.version = NETWORK_FILE_VERSION,
			     .checksum = checksum_of(file->body, file->size),
			     .size = file->size};
	size_t size = sizeof(header) + file->size;
	_cleanup_free_ char *whole = malloc(size);
	_cleanup_close_ int fd = -1;
	int r;

	if (!whole)
		return error_errno(err, -ENOMEM, "Writing " NETWORK_FILE_NAME);
	memcpy(header.magic, MAGIC, sizeof(header.magic));
	memcpy(whole, &header, sizeof(header));
	if (file->size > 0)
		memcpy(whole + sizeof(header), file->body, file->size);
	fd = openat(dirfd, NETWORK_FILE_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    MODE);
	if (fd < 0)
		return error_errno(err, -errno, "Making " NETWORK_FILE_NAME);
	r = file_write_all(fd, whole, size, err);
	if (r < 0)
		error_prefix(err, NETWORK_FILE_NAME);
	return r;
}

static int header_check(const FileHeader *header, const char *body, size_t size, Error *err)
{
	if (memcmp(header->magic, MAGIC, sizeof(header->magic)) != 0)
		return error_set(err, -EBADMSG, "it is not a saved network configuration");
	if (header->version != NETWORK_FILE_VERSION)
		return error_set(err, -EBADMSG, "it is of version %u, and this program reads %d",
				 header->version, NETWORK_FILE_VERSION);
	if (header->size != size)
		return error_set(err, -EBADMSG, "%zu bytes follow its header, not %llu", size,
				 (unsigned long long)header->size);
	if (header->checksum != checksum_of(body, size))
		return error_set(err, -EBADMSG, "it was altered: its checksum does not match");
	return 0;
}

static bool message_is_known(const struct nlmsghdr *header)
{
	for (size_t i = 0; i < sizeof(type_table) / sizeof(type_table[0]); i++)
		if (type_table[i].type == header->nlmsg_type)
			return header->nlmsg_len >=
			       NLMSG_ALIGN(NLMSG_LENGTH(type_table[i].family_size));
	return false;
}

static int body_check(const NetworkFile *file, Error *err)
{
	size_t end = 0;

	for (const struct nlmsghdr *h = NULL; (h = network_file_next(file, 0, h));) {
		if (!message_is_known(h))
			return error_set(err, -EBADMSG, "it has a message of type %u and %u bytes",
					 h->nlmsg_type, h->nlmsg_len);
		end = (size_t)((const char *)h - file->body) + NLMSG_ALIGN(h->nlmsg_len);
	}
	if (end != file->size)
		return error_set(err, -EBADMSG, "what is at byte %zu is no message",
				 sizeof(FileHeader) + end);
	return 0;
}

int network_file_read(int dirfd, NetworkFile *ret, Error *err)
{
	_cleanup_network_file_ NetworkFile file = {0};
	FileHeader header;
	size_t size;
	int r = file_read(dirfd, NETWORK_FILE_NAME, &file.body, &size, err);

	if (r < 0)
		return r;
	if (size < sizeof(header)) {
		error_set(err, -EBADMSG, "it is cut off after %zu bytes", size);
		return error_prefix(err, "Reading " NETWORK_FILE_NAME);
	}
	memcpy(&header, file.body, sizeof(header));
	file.size = size - sizeof(header);
	memmove(file.body, file.body + sizeof(header), file.size);
	r = header_check(&header, file.body, file.size, err);
	if (r == 0)
		r = body_check(&file, err);
	if (r < 0) {
		error_prefix(err, "Reading " NETWORK_FILE_NAME);
		return r;
	}
	*ret = file;
	file = (NetworkFile){0};
	return 0;
}

const struct nlmsghdr *network_file_next(const NetworkFile *file, uint16_t type,
					 const struct nlmsghdr *previous)
{
	const struct nlmsghdr *header;
	size_t at = 0;

	do {
		if (previous)
			at = (size_t)((const char *)previous - file->body) +
			     NLMSG_ALIGN(previous->nlmsg_len);
		if (at > file->size || file->size - at < sizeof(*header))
			return NULL;
		header = (const struct nlmsghdr *)(const void *)(file->body + at);
		if (header->nlmsg_len < sizeof(*header) || header->nlmsg_len > file->size - at)
			return NULL;
		previous = header;
	} while (type && header->nlmsg_type != type);
	return header;
}
