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
 * A peer that had been sent something acknowledged it during the blackout, to nobody.  Our kernel
 * would send it again when its timer says so, a second and more after the thaw, and only then go on
 * with a transfer.  So the peer is asked: a segment from before what it has acknowledged makes it
 * say at once how far it is (RFC 9293, 3.10.7.4), as a keepalive probe does.
 *
 * The capture has a file "peers" in each tree's directory with a line for each connection:
 *   LOCAL-ADDRESS PORT PEER-ADDRESS PORT EXPECTED ACKED QUEUED
 * EXPECTED is the sequence number of the byte that the peer sends next, or again; ACKED that of the
 * first byte that it has not acknowledged, and QUEUED how many there are from there on.
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
	uint32_t expected, acked, queued;
} Peer;

typedef struct Peers {
	Peer *peers;
	size_t n;
} Peers;

void peers_free(Peers *peers);

/* Appends those of the file in `dirfd`; that there is none is no error.  -EBADMSG: a line is not as
 * above. */
int peers_read(int dirfd, Peers *peers, Error *err);

/* Tells and asks all of them, the former often enough for retransmissions that have gone unanswered
 * for `silent_us`. Nothing depends on its success. */
void peers_wake(const Peers *peers, int64_t silent_us);

/* How often to tell; and the message, of `ret_size` bytes, at most PEER_MESSAGE_MAX: without its IP
 * header, and over IPv6 without its checksum, which the kernel sets. */
#define PEER_MESSAGE_MAX 64
unsigned peers_doublings(int64_t silent_us);
void peer_message(const Peer *peer, unsigned char message[PEER_MESSAGE_MAX], size_t *ret_size);

/* The question, likewise without IP header, and over IPv6 without checksum. */
#define PEER_QUESTION_SIZE 20
void peer_question(const Peer *peer, unsigned char question[PEER_QUESTION_SIZE]);
