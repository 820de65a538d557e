/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/netlink.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

#define ANSWER_LIMIT_MS 10000

/* As NLA_HDRLEN and NLA_ALIGN(), but of an unsigned type. */
#define HEADER_SIZE sizeof(struct nlattr)

static size_t attribute_align(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

/* ---- sockets ---- */

int netlink_open(int protocol, Netlink *ret, Error *err)
{
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	int on = 1;

	if (fd < 0)
		return error_errno(err, -errno, "Opening a netlink socket of protocol %d",
				   protocol);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_errno(err, -errno, "Binding a netlink socket");
	/* Better words, and answers without a copy of the request: not having them is no failure.
	 */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	*ret = (Netlink){.fd = steal_fd(&fd), .protocol = protocol};
	return 0;
}

int netlink_join(Netlink *netlink, int group, Error *err)
{
	if (setsockopt(netlink->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return error_errno(err, -errno, "Joining netlink group %d", group);
	return 0;
}

/* ---- building ---- */

void netlink_message_init(NetlinkMessage *message, void *buffer, size_t room)
{
	*message = (NetlinkMessage){.buffer = buffer, .room = room};
}

/* Room for `size` bytes at the end of the current message, zeroed with their padding. */
static void *message_reserve(NetlinkMessage *message, size_t size)
{
	size_t aligned = NLMSG_ALIGN(size);
	char *at;

	if (message->overflow || size > message->room || aligned > message->room - message->size) {
		message->overflow = true;
		return NULL;
	}
	at = message->buffer + message->size;
	memset(at, 0, aligned);
	message->size += aligned;
	((struct nlmsghdr *)(void *)(message->buffer + message->current))->nlmsg_len =
		(uint32_t)(message->size - message->current);
	return at;
}

void *netlink_message_begin(NetlinkMessage *message, uint16_t type, uint16_t flags, size_t size)
{
	size_t before = message->current;
	struct nlmsghdr *header;

	if (message->room - message->size < sizeof(*header))
		message->overflow = true;
	if (message->overflow)
		return NULL;
	message->current = message->size;
	header = message_reserve(message, sizeof(*header) + size);
	if (!header) {
		message->current = before;
		return NULL;
	}
	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	return header + 1;
}

void netlink_put(NetlinkMessage *message, uint16_t type, const void *data, size_t size)
{
	struct nlattr *attribute;

	if (size > UINT16_MAX - HEADER_SIZE) {
		message->overflow = true;
		return;
	}
	attribute = message_reserve(message, HEADER_SIZE + size);
	if (!attribute)
		return;
	attribute->nla_type = type;
	attribute->nla_len = (uint16_t)(HEADER_SIZE + size);
	if (size > 0)
		memcpy((char *)attribute + HEADER_SIZE, data, size);
}

void netlink_put_raw(NetlinkMessage *message, const void *data, size_t size)
{
	void *at = message_reserve(message, size);

	if (at)
		memcpy(at, data, size);
}

void netlink_put_u8(NetlinkMessage *message, uint16_t type, uint8_t value)
{
	netlink_put(message, type, &value, sizeof(value));
}

void netlink_put_u16(NetlinkMessage *message, uint16_t type, uint16_t value)
{
	netlink_put(message, type, &value, sizeof(value));
}

void netlink_put_u32(NetlinkMessage *message, uint16_t type, uint32_t value)
{
	netlink_put(message, type, &value, sizeof(value));
}

void netlink_put_string(NetlinkMessage *message, uint16_t type, const char *text)
{
	netlink_put(message, type, text, strlen(text) + 1);
}

void netlink_put_bare_string(NetlinkMessage *message, uint16_t type, const char *text)
{
	netlink_put(message, type, text, strlen(text));
}

void netlink_put_attribute(NetlinkMessage *message, const struct nlattr *attribute)
{
	netlink_put(message, attribute->nla_type, netlink_data(attribute), netlink_size(attribute));
}

size_t netlink_nest_begin(NetlinkMessage *message, uint16_t type)
{
	size_t nest = message->size;

	netlink_put(message, type | NLA_F_NESTED, NULL, 0);
	return nest;
}

void netlink_nest_end(NetlinkMessage *message, size_t nest)
{
	if (message->overflow)
		return;
	if (message->size - nest > UINT16_MAX) {
		message->overflow = true;
		return;
	}
	((struct nlattr *)(void *)(message->buffer + nest))->nla_len =
		(uint16_t)(message->size - nest);
}

void netlink_message_cut(NetlinkMessage *message, size_t size)
{
	if (message->overflow)
		return;
	message->size = size;
	((struct nlmsghdr *)(void *)(message->buffer + message->current))->nlmsg_len =
		(uint32_t)(size - message->current);
}

/* ---- sending and receiving ---- */

/* nfnetlink answers the messages around a batch only if it refuses them.  In other protocols the
 * same numbers mean something else. */
static bool is_answered(const Netlink *netlink, const struct nlmsghdr *header)
{
	return netlink->protocol != NETLINK_NETFILTER ||
	       (header->nlmsg_type != NFNL_MSG_BATCH_BEGIN &&
		header->nlmsg_type != NFNL_MSG_BATCH_END);
}

/* Numbers the messages and asks for an answer to each.  Returns how many answers to expect. */
static int message_prepare(Netlink *netlink, NetlinkMessage *message, uint16_t flags)
{
	int n = 0;

	for (size_t at = 0; at < message->size;) {
		struct nlmsghdr *header = (struct nlmsghdr *)(void *)(message->buffer + at);

		header->nlmsg_seq = ++netlink->sequence;
		if (is_answered(netlink, header)) {
			header->nlmsg_flags |= flags;
			n++;
		}
		at += NLMSG_ALIGN(header->nlmsg_len);
	}
	return n;
}

static int message_send(Netlink *netlink, const NetlinkMessage *message, Error *err)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	if (message->overflow || message->size == 0)
		return error_errno(err, -EMSGSIZE, "Building a netlink message");
	while (sendto(netlink->fd, message->buffer, message->size, 0, (struct sockaddr *)&kernel,
		      sizeof(kernel)) < 0)
		if (errno != EINTR)
			return error_errno(err, -errno, "Sending to the kernel over netlink");
	return 0;
}

/* One datagram of the kernel's; its size, or -ETIMEDOUT. */
static int datagram_receive(Netlink *netlink, void *buffer, size_t room, int64_t deadline_us,
			    Error *err)
{
	for (;;) {
		struct sockaddr_nl from = {0};
		struct iovec part = {.iov_base = buffer, .iov_len = room};
		struct msghdr header = {.msg_name = &from,
					.msg_namelen = sizeof(from),
					.msg_iov = &part,
					.msg_iovlen = 1};
		struct pollfd poller = {.fd = netlink->fd, .events = POLLIN};
		int64_t left_us = deadline_us - clock_monotonic_us();
		ssize_t n;

		if (poll(&poller, 1, left_us > 0 ? (int)((left_us + 999) / 1000) : 0) == 0)
			return error_errno(err, -ETIMEDOUT, "Waiting for the kernel's answer");
		n = recvmsg(netlink->fd, &header, MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return error_errno(err, -errno, "Receiving from the kernel over netlink");
		if (from.nl_pid != 0)
			continue; /* another process can send here, too */
		if (header.msg_flags & MSG_TRUNC)
			return error_errno(err, -EMSGSIZE, "Receiving from the kernel");
		return (int)n;
	}
}

/* The errno of an answer, with the kernel's words if it has any. */
static int answer_code(const struct nlmsghdr *header, Error *err)
{
	const struct nlattr *attributes[NLMSGERR_ATTR_MAX + 1];
	const struct nlmsgerr *answer = (const struct nlmsgerr *)(header + 1);
	const char *words = NULL;
	size_t skip = sizeof(*answer);

	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*answer)))
		return error_errno(err, -EBADMSG, "Reading the kernel's answer");
	if (answer->error == 0)
		return 0;
	if (!(header->nlmsg_flags & NLM_F_CAPPED))
		skip += answer->msg.nlmsg_len - sizeof(answer->msg);
	if ((header->nlmsg_flags & NLM_F_ACK_TLVS) &&
	    netlink_parse_message(header, skip, attributes, NLMSGERR_ATTR_MAX) == 0)
		words = netlink_string(attributes[NLMSGERR_ATTR_MSG]);
	if (words)
		return error_set(err, answer->error, "%s (%s)", strerror(-answer->error), words);
	return error_set(err, answer->error, "%s", strerror(-answer->error));
}

static const struct nlmsghdr *datagram_next(const char *buffer, int size,
					    const struct nlmsghdr *previous)
{
	size_t at = previous ? (size_t)((const char *)previous - buffer) +
				       NLMSG_ALIGN(previous->nlmsg_len)
			     : 0;
	const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)(buffer + at);

	if (at + sizeof(*header) > (size_t)size || header->nlmsg_len < sizeof(*header) ||
	    header->nlmsg_len > (size_t)size - at)
		return NULL;
	return header;
}

int netlink_call(Netlink *netlink, NetlinkMessage *message, Error *err)
{
	NETLINK_BUFFER(buffer, NETLINK_MESSAGE_MAX);
	int64_t deadline = clock_monotonic_us() + ANSWER_LIMIT_MS * 1000LL;
	uint32_t first = netlink->sequence + 1;
	int expected = message_prepare(netlink, message, NLM_F_ACK), r;

	r = message_send(netlink, message, err);
	if (r < 0)
		return r;
	while (expected > 0) {
		int n = datagram_receive(netlink, buffer, sizeof(buffer), deadline, err);

		if (n < 0)
			return n;
		for (const struct nlmsghdr *h = NULL; (h = datagram_next(buffer, n, h));) {
			/* Answers left over from a call that ended early come first. */
			if (h->nlmsg_type != NLMSG_ERROR ||
			    h->nlmsg_seq - first > netlink->sequence - first)
				continue;
			r = answer_code(h, err);
			if (r < 0)
				return r;
			expected--;
		}
	}
	return 0;
}

int netlink_dump(Netlink *netlink, NetlinkMessage *request, NetlinkCallback callback, void *context,
		 Error *err)
{
	NETLINK_BUFFER(buffer, NETLINK_MESSAGE_MAX);
	int64_t deadline = clock_monotonic_us() + ANSWER_LIMIT_MS * 1000LL;
	bool interrupted = false;
	int r;

	(void)message_prepare(netlink, request, NLM_F_DUMP);
	r = message_send(netlink, request, err);
	while (r >= 0) {
		int n = datagram_receive(netlink, buffer, sizeof(buffer), deadline, err);

		if (n < 0)
			return n;
		for (const struct nlmsghdr *h = NULL; (h = datagram_next(buffer, n, h));) {
			if (h->nlmsg_seq != netlink->sequence)
				continue;
			if (h->nlmsg_flags & NLM_F_DUMP_INTR)
				interrupted = true;
			if (h->nlmsg_type == NLMSG_ERROR)
				return answer_code(h, err);
			if (h->nlmsg_type == NLMSG_DONE) {
				int code = 0;

				if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(code)))
					memcpy(&code, h + 1, sizeof(code));
				if (code < 0)
					return error_errno(err, code, "Listing over netlink");
				return interrupted ? error_errno(err, -EINTR,
								 "Listing what changed meanwhile")
						   : 0;
			}
			r = callback(h, context, err);
			if (r < 0)
				return r;
		}
	}
	return r;
}

int netlink_receive(Netlink *netlink, int limit_ms, NetlinkCallback callback, void *context,
		    Error *err)
{
	NETLINK_BUFFER(buffer, NETLINK_MESSAGE_MAX);
	int n = datagram_receive(netlink, buffer, sizeof(buffer),
				 clock_monotonic_us() + limit_ms * 1000LL, err);

	if (n < 0)
		return n;
	for (const struct nlmsghdr *h = NULL; (h = datagram_next(buffer, n, h));) {
		int r = callback(h, context, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- reading ---- */

uint16_t netlink_type(const struct nlattr *attribute)
{
	return attribute->nla_type & (uint16_t)NLA_TYPE_MASK;
}

const void *netlink_data(const struct nlattr *attribute)
{
	return (const char *)attribute + HEADER_SIZE;
}

size_t netlink_size(const struct nlattr *attribute)
{
	return attribute->nla_len - HEADER_SIZE;
}

const struct nlattr *netlink_next(const void *attributes, size_t size,
				  const struct nlattr *previous)
{
	const char *base = attributes;
	const struct nlattr *attribute;
	size_t at = 0;

	if (previous)
		at = (size_t)((const char *)previous - base) + attribute_align(previous->nla_len);
	if (at > size || size - at < HEADER_SIZE)
		return NULL;
	attribute = (const struct nlattr *)(const void *)(base + at);
	if (attribute->nla_len < HEADER_SIZE || attribute->nla_len > size - at)
		return NULL;
	return attribute;
}

const struct nlattr *netlink_next_nested(const struct nlattr *nest, const struct nlattr *previous)
{
	return netlink_next(netlink_data(nest), netlink_size(nest), previous);
}

int netlink_parse(const void *attributes, size_t size, const struct nlattr *ret[], size_t max)
{
	size_t end = 0;

	for (size_t i = 0; i <= max; i++)
		ret[i] = NULL;
	for (const struct nlattr *a = NULL; (a = netlink_next(attributes, size, a));) {
		if (netlink_type(a) <= max)
			ret[netlink_type(a)] = a;
		end = (size_t)((const char *)a - (const char *)attributes) +
		      attribute_align(a->nla_len);
	}
	return end < size && size - end >= HEADER_SIZE ? -EBADMSG : 0;
}

int netlink_parse_message(const struct nlmsghdr *header, size_t family_size,
			  const struct nlattr *ret[], size_t max)
{
	size_t skip = NLMSG_LENGTH(NLMSG_ALIGN(family_size));

	if (header->nlmsg_len < NLMSG_LENGTH(family_size))
		return -EBADMSG;
	return netlink_parse((const char *)header + skip,
			     header->nlmsg_len > skip ? header->nlmsg_len - skip : 0, ret, max);
}

int netlink_parse_nested(const struct nlattr *nest, const struct nlattr *ret[], size_t max)
{
	return netlink_parse(nest ? netlink_data(nest) : NULL, nest ? netlink_size(nest) : 0, ret,
			     max);
}

/* The number is in the first bytes of the data: so the kernel reads it, too. */
static void value_copy(const struct nlattr *attribute, void *value, size_t size)
{
	if (attribute && netlink_size(attribute) >= size)
		memcpy(value, netlink_data(attribute), size);
}

uint8_t netlink_u8(const struct nlattr *attribute)
{
	uint8_t value = 0;

	value_copy(attribute, &value, sizeof(value));
	return value;
}

uint16_t netlink_u16(const struct nlattr *attribute)
{
	uint16_t value = 0;

	value_copy(attribute, &value, sizeof(value));
	return value;
}

uint32_t netlink_u32(const struct nlattr *attribute)
{
	uint32_t value = 0;

	value_copy(attribute, &value, sizeof(value));
	return value;
}

const char *netlink_string(const struct nlattr *attribute)
{
	if (!attribute || !memchr(netlink_data(attribute), '\0', netlink_size(attribute)))
		return NULL;
	return netlink_data(attribute);
}

bool netlink_equal(const struct nlattr *a, const struct nlattr *b)
{
	if (!a || !b)
		return !a && !b;
	return netlink_size(a) == netlink_size(b) &&
	       memcmp(netlink_data(a), netlink_data(b), netlink_size(a)) == 0;
}
