/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Netlink: messages built over a caller's buffer, calls that wait for the
 * kernel's answer, dumps.
 *
 * Own code, because segue-init is linked statically and Debian ships no static
 * libmnl; it is the same code on both sides of the jump.
 */
#pragma once

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

/* Large enough for every message that segue builds; the kernel's own dumps are at most 32 KiB. */
#define NETLINK_MESSAGE_MAX 32768

typedef struct Netlink {
	int fd;
	int protocol;
	uint32_t sequence; /* of the last message sent */
} Netlink;

#define NETLINK_INIT                                                                               \
	{                                                                                          \
		.fd = -1                                                                           \
	}

static inline void cleanup_netlink(const Netlink *netlink)
{
	cleanup_close(&netlink->fd);
}
#define _cleanup_netlink_ _cleanup_(cleanup_netlink)

/* `protocol`: NETLINK_ROUTE, NETLINK_NETFILTER.  -EPROTONOSUPPORT if the kernel has not loaded it.
 */
int netlink_open(int protocol, Netlink *ret, Error *err);

/* Also receives what is sent to a group (RTNLGRP_LINK ...). */
int netlink_join(Netlink *netlink, int group, Error *err);

/*
 * One message, or several one after the other (a batch), over the caller's
 * buffer, which must be aligned for struct nlmsghdr.  What does not fit is
 * remembered: the message can be built to its end without a check, and
 * netlink_call() refuses it with -EMSGSIZE.
 */
typedef struct NetlinkMessage {
	char *buffer;
	size_t room;
	size_t size;    /* used, of all messages */
	size_t current; /* where the current message begins */
	bool overflow;
} NetlinkMessage;

#define NETLINK_BUFFER(name, bytes) char(name)[bytes] __attribute__((aligned(NLMSG_ALIGNTO)))

void netlink_message_init(NetlinkMessage *message, void *buffer, size_t room);

/* Begins a message with a zeroed header of its family of `size` bytes, and returns that; NULL on
 * overflow. */
void *netlink_message_begin(NetlinkMessage *message, uint16_t type, uint16_t flags, size_t size);

void netlink_put(NetlinkMessage *message, uint16_t type, const void *data, size_t size);
void netlink_put_u8(NetlinkMessage *message, uint16_t type, uint8_t value);
void netlink_put_u16(NetlinkMessage *message, uint16_t type, uint16_t value);
void netlink_put_u32(NetlinkMessage *message, uint16_t type, uint32_t value);
void netlink_put_string(NetlinkMessage *message, uint16_t type, const char *text); /* with NUL */
void netlink_put_bare_string(NetlinkMessage *message, uint16_t type, const char *text);

/* Bytes that are no attribute: a header inside of a nest. */
void netlink_put_raw(NetlinkMessage *message, const void *data, size_t size);

/* As the attribute is, type included. */
void netlink_put_attribute(NetlinkMessage *message, const struct nlattr *attribute);

/* What is put between the two is inside of an attribute of that type. */
size_t netlink_nest_begin(NetlinkMessage *message, uint16_t type);
void netlink_nest_end(NetlinkMessage *message, size_t nest);

/* Takes back what was put since `message->size` was `size`, which was in the current message. */
void netlink_message_cut(NetlinkMessage *message, size_t size);

/*
 * Sends the message, or all messages of a batch (those of nfnetlink that begin
 * and end it included), and waits until the kernel has acknowledged every one.
 * Returns the kernel's -errno for the first that it refused; the error has the
 * kernel's own words where it gives any.
 */
int netlink_call(Netlink *netlink, NetlinkMessage *message, Error *err);

/* Called with each message of a dump; a negative return ends it. */
typedef int (*NetlinkCallback)(const struct nlmsghdr *header, void *context, Error *err);

/* Sends a request with NLM_F_DUMP and hands each answer to the callback.  -EINTR: what was listed
 * changed meanwhile, and what was handed over may be inconsistent: begin anew. */
int netlink_dump(Netlink *netlink, NetlinkMessage *request, NetlinkCallback callback, void *context,
		 Error *err);

/* Waits at most `limit_ms` for messages of joined groups and hands them over.  -ETIMEDOUT; -ENOBUFS
 * if some were lost. */
int netlink_receive(Netlink *netlink, int limit_ms, NetlinkCallback callback, void *context,
		    Error *err);

/*
 * Reading.  Everything is checked against the size, whether it comes from the
 * kernel or from a file.
 */

/* Fills ret[0..max] with the attributes by type, NULL where there is none; the last of a type wins;
 * types above `max` are passed over.  -EBADMSG if one runs over the end. */
int netlink_parse(const void *attributes, size_t size, const struct nlattr *ret[], size_t max);

/* The attributes of a message behind its family's header.  -EBADMSG if it is shorter than that. */
int netlink_parse_message(const struct nlmsghdr *header, size_t family_size,
			  const struct nlattr *ret[], size_t max);

/* The attributes inside of one; all NULL if `nest` is NULL. */
int netlink_parse_nested(const struct nlattr *nest, const struct nlattr *ret[], size_t max);

/* Steps through attributes: the first with NULL for `previous`; NULL at the end or where an
 * attribute would run over it. */
const struct nlattr *netlink_next(const void *attributes, size_t size,
				  const struct nlattr *previous);
const struct nlattr *netlink_next_nested(const struct nlattr *nest, const struct nlattr *previous);

uint16_t netlink_type(const struct nlattr *attribute); /* without the flags in it */
const void *netlink_data(const struct nlattr *attribute);
size_t netlink_size(const struct nlattr *attribute); /* of the data */

/* The value; 0 (or NULL) if the attribute is NULL, too short, or no text with its NUL. */
uint8_t netlink_u8(const struct nlattr *attribute);
uint16_t netlink_u16(const struct nlattr *attribute);
uint32_t netlink_u32(const struct nlattr *attribute);
const char *netlink_string(const struct nlattr *attribute);

/* Same data (both NULL: yes). */
bool netlink_equal(const struct nlattr *a, const struct nlattr *b);
