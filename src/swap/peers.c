/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define FIRST_TIMEOUT_US 200000 /* TCP_RTO_MIN of Linux; others begin later */
#define DOUBLINGS_MOST   10     /* TCP_RTO_MAX, 120 s */
#define TCP_START        8      /* bytes of the segment that the message quotes: up to its number */

/* ---- the list ---- */

void peers_free(Peers *peers)
{
	free(peers->peers);
	*peers = (Peers){0};
}

/* "192.0.2.1", "2001:db8::1", "fe80::1%eth0". */
static bool address_parse(char *text, unsigned port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *four = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
	char *scope = strchr(text, '%');

	*ret = (struct sockaddr_storage){0};
	if (port > UINT16_MAX)
		return false;
	if (scope)
		*scope++ = '\0';
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = (in_port_t)port;
		return true;
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = (in_port_t)port;
	six->sin6_scope_id = scope ? if_nametoindex(scope) : 0;
	return inet_pton(AF_INET6, text, &six->sin6_addr) == 1;
}

static bool peer_parse(const char *line, Peer *ret)
{
	char local[INET6_ADDRSTRLEN + IF_NAMESIZE + 2], remote[INET6_ADDRSTRLEN + IF_NAMESIZE + 2];
	unsigned local_port, remote_port;

	if (sscanf(line, "%62s %u %62s %u %" SCNu32 " %" SCNu32 " %" SCNu32, local, &local_port,
		   remote, &remote_port, &ret->expected, &ret->acked, &ret->queued) != 7)
		return false;
	return address_parse(local, local_port, &ret->local) &&
	       address_parse(remote, remote_port, &ret->remote) &&
	       ret->local.ss_family == ret->remote.ss_family;
}

int peers_read(int dirfd, Peers *peers, Error *err)
{
	_cleanup_free_ char *text = NULL;
	char *rest, *line;
	int r = file_read(dirfd, PEERS_FILE, &text, NULL, err);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		Peer *more = *line ? realloc(peers->peers, (peers->n + 1) * sizeof(*more)) : NULL;

		if (!*line)
			continue;
		if (!more)
			return error_errno(err, -ENOMEM, "Reading the connections");
		peers->peers = more;
		if (!peer_parse(line, &more[peers->n]))
			return error_set(err, -EBADMSG, "\"%s\" is not a connection", line);
		peers->n++;
	}
	return 0;
}

/* ---- the message ---- */

/* RFC 1071. */
static uint32_t checksum_add(uint32_t sum, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i + 1 < size; i += 2) {
		uint16_t word;

		memcpy(&word, bytes + i, sizeof(word));
		sum += ntohs(word);
	}
	return sum;
}

static uint16_t checksum_end(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static uint16_t checksum(const void *data, size_t size)
{
	return checksum_end(checksum_add(0, data, size));
}

/* sin_port and sin6_port are at the same place; here they are in the host's byte order. */
static uint16_t peer_port(const struct sockaddr_storage *end)
{
	return (uint16_t)((const struct sockaddr_in *)end)->sin_port;
}

/* How the segment begins that the peer sends: ports and sequence number. */
static size_t segment_put(unsigned char *at, unsigned from, unsigned to, uint32_t sequence)
{
	const uint16_t ports[2] = {htons((uint16_t)from), htons((uint16_t)to)};
	const uint32_t number = htonl(sequence);

	memcpy(at, ports, sizeof(ports));
	memcpy(at + sizeof(ports), &number, sizeof(number));
	return sizeof(ports) + sizeof(number);
}

static size_t message_put(const Peer *peer, unsigned char *message)
{
	const struct sockaddr_in *local = (const struct sockaddr_in *)&peer->local;
	const struct sockaddr_in *remote = (const struct sockaddr_in *)&peer->remote;
	struct icmphdr head = {.type = ICMP_DEST_UNREACH, .code = ICMP_HOST_UNREACH};
	struct iphdr quoted = {
		.version = IPVERSION,
		.ihl = sizeof(quoted) / 4,
		.tot_len = htons(sizeof(quoted) + TCP_START),
		.ttl = IPDEFTTL,
		.protocol = IPPROTO_TCP,
		.saddr = remote->sin_addr.s_addr,
		.daddr = local->sin_addr.s_addr,
	};
	size_t size = sizeof(head) + sizeof(quoted);

	quoted.check = checksum(&quoted, sizeof(quoted));
	memcpy(message + sizeof(head), &quoted, sizeof(quoted));
	size += segment_put(message + size, remote->sin_port, local->sin_port, peer->expected);
	memcpy(message, &head, sizeof(head));
	head.checksum = checksum(message, size);
	memcpy(message, &head, sizeof(head));
	return size;
}

static size_t message6_put(const Peer *peer, unsigned char *message)
{
	const struct sockaddr_in6 *local = (const struct sockaddr_in6 *)&peer->local;
	const struct sockaddr_in6 *remote = (const struct sockaddr_in6 *)&peer->remote;
	const struct icmp6_hdr head = {.icmp6_type = ICMP6_DST_UNREACH,
				       .icmp6_code = ICMP6_DST_UNREACH_NOROUTE};
	struct ip6_hdr quoted = {.ip6_src = remote->sin6_addr, .ip6_dst = local->sin6_addr};
	size_t size = sizeof(head) + sizeof(quoted);

	quoted.ip6_vfc = 6 << 4;
	quoted.ip6_nxt = IPPROTO_TCP;
	quoted.ip6_hlim = IPDEFTTL;
	quoted.ip6_plen = htons(TCP_START);
	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), &quoted, sizeof(quoted));
	return size +
	       segment_put(message + size, remote->sin6_port, local->sin6_port, peer->expected);
}

void peer_message(const Peer *peer, unsigned char message[PEER_MESSAGE_MAX], size_t *ret_size)
{
	*ret_size = peer->local.ss_family == AF_INET ? message_put(peer, message)
						     : message6_put(peer, message);
}

/* RFC 9293, 3.1: the checksum is of the addresses, too. */
static uint16_t segment_checksum(const Peer *peer, const struct tcphdr *segment)
{
	const struct in_addr *local = &((const struct sockaddr_in *)&peer->local)->sin_addr;
	const struct in_addr *remote = &((const struct sockaddr_in *)&peer->remote)->sin_addr;
	uint32_t sum = IPPROTO_TCP + sizeof(*segment);

	sum = checksum_add(sum, local, sizeof(*local));
	sum = checksum_add(sum, remote, sizeof(*remote));
	return checksum_end(checksum_add(sum, segment, sizeof(*segment)));
}

void peer_question(const Peer *peer, unsigned char question[PEER_QUESTION_SIZE])
{
	struct tcphdr segment = {
		.source = htons(peer_port(&peer->local)),
		.dest = htons(peer_port(&peer->remote)),
		.seq = htonl(peer->acked - 1),
		.ack_seq = htonl(peer->expected),
		.doff = sizeof(segment) / 4,
		.ack = 1,
	};

	if (peer->local.ss_family == AF_INET)
		segment.check = segment_checksum(peer, &segment);
	memcpy(question, &segment, sizeof(segment));
}

unsigned peers_doublings(int64_t silent_us)
{
	unsigned n = 1;

	while (n < DOUBLINGS_MOST && ((int64_t)FIRST_TIMEOUT_US << n) <= silent_us)
		n++;
	return n;
}

/* ---- sending ---- */

/* From the address that the connection has, which need not be the one that the kernel would take.
 */
static void peer_send(int fd, const Peer *peer, void *message, size_t size)
{
	union {
		char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct cmsghdr align;
	} control = {0};
	struct sockaddr_storage to = peer->remote;
	struct iovec iov = {.iov_base = message, .iov_len = size};
	struct msghdr header = {
		.msg_name = &to, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room};
	struct cmsghdr *c = &control.align;

	if (to.ss_family == AF_INET) {
		const struct sockaddr_in *local = (const struct sockaddr_in *)&peer->local;
		const struct in_pktinfo info = {.ipi_spec_dst = local->sin_addr};

		header.msg_namelen = sizeof(*local);
		header.msg_controllen = CMSG_SPACE(sizeof(info));
		*c = (struct cmsghdr){CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO};
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	} else {
		const struct sockaddr_in6 *local = (const struct sockaddr_in6 *)&peer->local;
		const struct in6_pktinfo info = {.ipi6_addr = local->sin6_addr,
						 .ipi6_ifindex = local->sin6_scope_id};

		/* A raw socket takes the port for a protocol. */
		((struct sockaddr_in6 *)&to)->sin6_port = 0;
		header.msg_namelen = sizeof(*local);
		header.msg_controllen = CMSG_SPACE(sizeof(info));
		*c = (struct cmsghdr){CMSG_LEN(sizeof(info)), IPPROTO_IPV6, IPV6_PKTINFO};
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	}
	(void)sendmsg(fd, &header, MSG_DONTWAIT);
}

static bool is_four(const Peer *peer)
{
	return peer->local.ss_family == AF_INET;
}

static void peers_tell(const Peers *peers, unsigned doublings)
{
	_cleanup_close_ int four = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	_cleanup_close_ int six = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);

	for (; doublings > 0; doublings--) {
		for (size_t i = 0; i < peers->n; i++) {
			unsigned char message[PEER_MESSAGE_MAX];
			size_t size;

			peer_message(&peers->peers[i], message, &size);
			peer_send(is_four(&peers->peers[i]) ? four : six, &peers->peers[i], message,
				  size);
		}
	}
}

static void peers_ask(const Peers *peers)
{
	_cleanup_close_ int four = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
	_cleanup_close_ int six = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
	const int checksum_at = offsetof(struct tcphdr, check);

	(void)setsockopt(six, IPPROTO_IPV6, IPV6_CHECKSUM, &checksum_at, sizeof(checksum_at));
	for (size_t i = 0; i < peers->n; i++) {
		unsigned char question[PEER_QUESTION_SIZE];

		if (peers->peers[i].queued == 0)
			continue;
		peer_question(&peers->peers[i], question);
		peer_send(is_four(&peers->peers[i]) ? four : six, &peers->peers[i], question,
			  sizeof(question));
	}
}

void peers_wake(const Peers *peers, int64_t silent_us)
{
	peers_ask(peers);
	peers_tell(peers, peers_doublings(silent_us));
}
