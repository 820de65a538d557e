/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other ends of the TCP connections that were carried.
 *
 * A peer that had something to send during the blackout sent it again and again, waiting twice as
 * long each time; once the programs run it would still wait, for up to as long as the blackout
 * took.  RFC 6069 has a way to tell it: an ICMP message "host unreachable" about the segment that
 * it sends again takes one doubling back, and if the shorter time is over, it sends at once
 * (tcp_ld_RTO_revert() in the kernel's net/ipv4/tcp_ipv4.c).  A peer that does not know of this
 * takes the message for what it is in an established connection, a hint to be ignored (RFC 1122,
 * 4.2.3.9).
 *
 * The capture has a file "peers" in each tree's directory with a line for each connection:
 *   LOCAL-ADDRESS PORT PEER-ADDRESS PORT SEQUENCE-NUMBER
 * the last being that of the byte that the peer sends next, or again.
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define PEERS_FILE "peers"

/* One connection.  The addresses are of one family; ports are in the host's byte order. */
typedef struct Peer {
	struct sockaddr_storage local, remote;
	uint32_t expected;
} Peer;

typedef struct Peers {
	Peer *peers;
	size_t n;
} Peers;

void peers_free(Peers *peers);

/* Appends those of the file in `dirfd`; that there is none is no error.  -EBADMSG: a line is not as
 * above. */
int peers_read(int dirfd, Peers *peers, Error *err);

/* Tells all of them, often enough for retransmissions that have gone unanswered for `silent_us`.
 * Nothing depends on its success. */
void peers_wake(const Peers *peers, int64_t silent_us);

/* How often to tell; and the message, of `ret_size` bytes, at most PEER_MESSAGE_MAX: without its IP
 * header, and over IPv6 without its checksum, which the kernel sets. */
#define PEER_MESSAGE_MAX 64
unsigned peers_doublings(int64_t silent_us);
void peer_message(const Peer *peer, unsigned char message[PEER_MESSAGE_MAX], size_t *ret_size);
