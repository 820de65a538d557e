/* SPDX-License-Identifier: Apache-2.0 */
/* A connection within a network namespace of its own, one end of which is deaf for a while. */
#include "swap/peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "test.h"

#define LIMIT_US 20000000

static char directory[] = "/tmp/segue-test-peers-XXXXXX";
static int place = -1;

static int setup(void **state)
{
	const char *const up[] = {"ip", "link", "set", "lo", "up", NULL};
	Error err = {0};

	assert_non_null(mkdtemp(directory));
	place = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place >= 0);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(process_run(up, 10000, NULL, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)unlinkat(place, PEERS_FILE, 0);
	(void)close(place);
	return rmdir(directory);
}

static void file_put(const char *text)
{
	assert_int_equal(file_write_atomic(place, PEERS_FILE, text, strlen(text), 0600, NULL), 0);
}

static void test_read(void **state)
{
	Peers peers = {0};
	const struct sockaddr_in *four;
	const struct sockaddr_in6 *six;
	Error err = {0};

	file_put("192.0.2.1 6379 192.0.2.9 40000 4294967295 8 9\n"
		 "fe80::1%lo 80 fe80::2%lo 50000 7 0 0\n");
	assert_int_equal(peers_read(place, &peers, &err), 0);
	assert_int_equal(peers.n, 2);
	four = (const struct sockaddr_in *)&peers.peers[0].remote;
	assert_int_equal(four->sin_family, AF_INET);
	assert_int_equal(four->sin_port, 40000);
	assert_int_equal(four->sin_addr.s_addr, inet_addr("192.0.2.9"));
	assert_int_equal(peers.peers[0].expected, 4294967295U);
	assert_int_equal(peers.peers[0].acked, 8);
	assert_int_equal(peers.peers[0].queued, 9);
	six = (const struct sockaddr_in6 *)&peers.peers[1].local;
	assert_int_equal(six->sin6_family, AF_INET6);
	assert_int_equal(six->sin6_port, 80);
	assert_int_equal(six->sin6_scope_id, 1);
	peers_free(&peers);
}

static void test_read_none(void **state)
{
	Peers peers = {0};

	(void)unlinkat(place, PEERS_FILE, 0);
	assert_int_equal(peers_read(place, &peers, NULL), 0);
	assert_int_equal(peers.n, 0);
}

static void test_read_damaged(void **state)
{
	static const char *const lines[] = {
		"192.0.2.1 6379 192.0.2.9 40000 1 2\n",
		"192.0.2.1 65536 192.0.2.9 40000 1 2 3\n",
		"192.0.2.1 6379 2001:db8::1 40000 1 2 3\n",
		"192.0.2.256 6379 192.0.2.9 40000 1 2 3\n",
		"11111111111111111111111111111111111111111111111111111111111111111 1 ::1 1 1 2 3\n",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		Peers peers = {0};
		Error err = {0};

		file_put(lines[i]);
		assert_int_equal(peers_read(place, &peers, &err), -EBADMSG);
		peers_free(&peers);
	}
}

static void test_doublings(void **state)
{
	assert_int_equal(peers_doublings(0), 1);
	assert_int_equal(peers_doublings(700000), 2);
	assert_int_equal(peers_doublings(15000000), 7);
	assert_int_equal(peers_doublings(INT64_MAX / 2), 10);
}

/* As the receiver checks it: the sum over all of it, checksum included, is all ones. */
static void test_message(void **state)
{
	Peer peer = {.expected = 0x01020304};
	struct sockaddr_in *local = (struct sockaddr_in *)&peer.local;
	struct sockaddr_in *remote = (struct sockaddr_in *)&peer.remote;
	unsigned char message[PEER_MESSAGE_MAX];
	uint32_t sum = 0;
	size_t size;

	*local = (struct sockaddr_in){AF_INET, 6379, {inet_addr("192.0.2.1")}, {0}};
	*remote = (struct sockaddr_in){AF_INET, 0x9c40, {inet_addr("192.0.2.9")}, {0}};
	peer_message(&peer, message, &size);
	assert_int_equal(size, 8 + 20 + 8);
	for (size_t i = 0; i < size; i += 2)
		sum += (uint32_t)message[i] << 8 | message[i + 1];
	assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
	assert_memory_equal(message, "\x03\x01", 2);
	assert_memory_equal(message + 28, "\x9c\x40\x18\xeb\x01\x02\x03\x04", 8);
}

/* ---- a connection ---- */

static socklen_t loopback(int family, struct sockaddr_storage *ret)
{
	*ret = (struct sockaddr_storage){.ss_family = (sa_family_t)family};
	if (family == AF_INET)
		((struct sockaddr_in *)ret)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		((struct sockaddr_in6 *)ret)->sin6_addr = in6addr_loopback;
	return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static void connection_make(int family, int *ret_here, int *ret_there)
{
	struct sockaddr_storage address;
	socklen_t size = loopback(family, &address);
	_cleanup_close_ int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	*ret_there = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(*ret_there, (struct sockaddr *)&address, size), 0);
	*ret_here = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(*ret_here >= 0);
}

/* sin_port and sin6_port are at the same place. */
static void port_to_host(struct sockaddr_storage *end)
{
	unsigned char *at = (unsigned char *)end + offsetof(struct sockaddr_in, sin_port);
	in_port_t port;

	memcpy(&port, at, sizeof(port));
	port = ntohs(port);
	memcpy(at, &port, sizeof(port));
}

static Peer peer_of(int here)
{
	socklen_t size = sizeof(struct sockaddr_storage), number_size = sizeof(uint32_t);
	Peer peer = {0};

	assert_int_equal(getsockname(here, (struct sockaddr *)&peer.local, &size), 0);
	size = sizeof(struct sockaddr_storage);
	assert_int_equal(getpeername(here, (struct sockaddr *)&peer.remote, &size), 0);
	port_to_host(&peer.local);
	port_to_host(&peer.remote);
	assert_int_equal(setsockopt(here, IPPROTO_TCP, TCP_REPAIR, &(int){1}, sizeof(int)), 0);
	assert_int_equal(setsockopt(here, IPPROTO_TCP, TCP_REPAIR_QUEUE, &(int){1}, sizeof(int)),
			 0);
	assert_int_equal(getsockopt(here, IPPROTO_TCP, TCP_QUEUE_SEQ, &peer.expected, &number_size),
			 0);
	assert_int_equal(setsockopt(here, IPPROTO_TCP, TCP_REPAIR_QUEUE, &(int){2}, sizeof(int)),
			 0);
	assert_int_equal(getsockopt(here, IPPROTO_TCP, TCP_QUEUE_SEQ, &peer.acked, &number_size),
			 0);
	assert_int_equal(setsockopt(here, IPPROTO_TCP, TCP_REPAIR, &(int){-1}, sizeof(int)), 0);
	return peer;
}

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
	return info;
}

static unsigned backoff(int fd)
{
	return info_of(fd).tcpi_backoff;
}

/* After four retransmissions the next would come 3.2 s after the last; it comes at once. */
static void connection_wake(int family)
{
	struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_fprog deaf = {.len = 1, .filter = nothing};
	_cleanup_close_ int here = -1, there = -1;
	int64_t began = clock_monotonic_us(), woken;
	struct pollfd p = {.events = POLLIN};
	Peers peers = {.n = 1};
	Peer peer;

	connection_make(family, &here, &there);
	peer = peer_of(here);
	peers.peers = &peer;
	assert_int_equal(setsockopt(here, SOL_SOCKET, SO_ATTACH_FILTER, &deaf, sizeof(deaf)), 0);
	assert_int_equal(write(there, "x", 1), 1);
	while (backoff(there) < 4) {
		assert_true(clock_monotonic_us() - began < LIMIT_US);
		(void)usleep(1000);
	}
	assert_int_equal(setsockopt(here, SOL_SOCKET, SO_DETACH_FILTER, &deaf, sizeof(deaf)), 0);
	woken = clock_monotonic_us();
	peers_wake(&peers, woken - began);
	p.fd = here;
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(clock_monotonic_us() - woken < 1600000);
	assert_int_equal(recv(here, &(char){0}, 1, 0), 1);
	/* It is no error for whoever writes. */
	assert_int_equal(write(there, "y", 1), 1);
	assert_int_equal(recv(here, &(char){0}, 1, 0), 1);
}

static void test_wake(void **state)
{
	connection_wake(AF_INET);
}

static void test_wake_6(void **state)
{
	connection_wake(AF_INET6);
}

/* The peer has acknowledged to deaf ears; asked, it does so again, long before our timer. */
static void connection_ask(int family)
{
	struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_fprog deaf = {.len = 1, .filter = nothing};
	_cleanup_close_ int here = -1, there = -1;
	int64_t began = clock_monotonic_us(), asked;
	Peers peers = {.n = 1};
	Peer peer;

	connection_make(family, &here, &there);
	peer = peer_of(here);
	peers.peers = &peer;
	assert_int_equal(setsockopt(here, SOL_SOCKET, SO_ATTACH_FILTER, &deaf, sizeof(deaf)), 0);
	assert_int_equal(write(here, "x", 1), 1);
	peer.queued = 1;
	while (backoff(here) < 4) {
		assert_true(clock_monotonic_us() - began < LIMIT_US);
		(void)usleep(1000);
	}
	assert_int_equal(setsockopt(here, SOL_SOCKET, SO_DETACH_FILTER, &deaf, sizeof(deaf)), 0);
	assert_int_equal(info_of(here).tcpi_unacked, 1);
	asked = clock_monotonic_us();
	peers_wake(&peers, asked - began);
	while (info_of(here).tcpi_unacked > 0) {
		assert_true(clock_monotonic_us() - asked < 1600000);
		(void)usleep(1000);
	}
	assert_int_equal(recv(there, &(char){0}, 1, 0), 1);
	assert_int_equal(write(there, "y", 1), 1);
	assert_int_equal(recv(here, &(char){0}, 1, 0), 1);
}

static void test_ask(void **state)
{
	connection_ask(AF_INET);
}

static void test_ask_6(void **state)
{
	connection_ask(AF_INET6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),         cmocka_unit_test(test_read_none),
		cmocka_unit_test(test_read_damaged), cmocka_unit_test(test_doublings),
		cmocka_unit_test(test_message),      cmocka_unit_test(test_wake),
		cmocka_unit_test(test_wake_6),       cmocka_unit_test(test_ask),
		cmocka_unit_test(test_ask_6),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
