/* SPDX-License-Identifier: Apache-2.0 */
/* Two network namespaces, "here" and "peer", joined by a veth pair; the hold is raised here. */
#include "swap/hold.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "swap/netlink.h"
#include "test.h"

#define HERE4     "192.0.2.1"
#define HERE4_NET "192.0.2.1/24"
#define HERE6     "2001:db8::1"
#define HERE6_NET "2001:db8::1/64"

/* How long nothing has to happen for "nothing happens"; and how long something may take. */
#define SILENCE_MS 300
#define LIMIT_MS   10000

static int here = -1, peer = -1;

static void run(const char *const argv[])
{
	_cleanup_free_ char *output = NULL;
	Error err = {0};

	if (process_run(argv, LIMIT_MS, &output, &err) < 0)
		fail_msg("%s: %s", err.text, output ? output : "");
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void enter(int namespace)
{
	assert_int_equal(setns(namespace, CLONE_NEWNET), 0);
}

static int namespace_new(void)
{
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	RUN("ip", "link", "set", "lo", "up");
	return fd;
}

static int setup(void **state)
{
	char path[64];

	peer = namespace_new();
	here = namespace_new();
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), peer);
	RUN("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1", "netns", path);
	RUN("ip", "address", "add", HERE4_NET, "dev", "veth0");
	RUN("ip", "address", "add", HERE6_NET, "dev", "veth0", "nodad");
	RUN("ip", "link", "set", "veth0", "up");
	enter(peer);
	RUN("ip", "address", "add", "192.0.2.2/24", "dev", "veth1");
	RUN("ip", "address", "add", "2001:db8::2/64", "dev", "veth1", "nodad");
	RUN("ip", "link", "set", "veth1", "up");
	enter(here);
	return 0;
}

static int lower(void **state)
{
	return hold_lower(NULL);
}

static void raise_hold(void)
{
	Error err = {0};

	if (hold_raise(&err) < 0)
		fail_msg("%s", err.text);
	assert_true(hold_is_raised());
}

/* An address of here, or of the loopback interface. */
static socklen_t address_make(int family, const char *text, uint16_t port,
			      struct sockaddr_storage *ret)
{
	*ret = (struct sockaddr_storage){.ss_family = (sa_family_t)family};
	if (family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)ret;

		in->sin_port = htons(port);
		assert_int_equal(inet_pton(family, text, &in->sin_addr), 1);
		return sizeof(*in);
	}
	((struct sockaddr_in6 *)ret)->sin6_port = htons(port);
	assert_int_equal(inet_pton(family, text, &((struct sockaddr_in6 *)ret)->sin6_addr), 1);
	return sizeof(struct sockaddr_in6);
}

static int listener_new(int family, const char *text, uint16_t port)
{
	struct sockaddr_storage address;
	socklen_t size = address_make(family, text, port, &address);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* A socket in the namespace where it is called that begins to connect to here. */
static int connect_begin(int family, const char *text, uint16_t port)
{
	struct sockaddr_storage address;
	socklen_t size = address_make(family, text, port, &address);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&address, size) < 0)
		assert_int_equal(errno, EINPROGRESS);
	return fd;
}

/* 0: connected; the errno; ETIMEDOUT: nothing was heard. */
static int connect_end(int fd, int limit_ms)
{
	struct pollfd poller = {.fd = fd, .events = POLLOUT};
	int code = 0;
	socklen_t size = sizeof(code);

	if (poll(&poller, 1, limit_ms) == 0)
		return ETIMEDOUT;
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size), 0);
	return code;
}

static int try_from_peer(int family, const char *text, uint16_t port, int limit_ms)
{
	_cleanup_close_ int fd = -1;

	enter(peer);
	fd = connect_begin(family, text, port);
	enter(here);
	return connect_end(fd, limit_ms);
}

static void test_idempotent(void **state)
{
	Error err = {0};

	assert_false(hold_is_raised());
	assert_int_equal(hold_lower(&err), 0);
	raise_hold();
	raise_hold();
	assert_int_equal(hold_lower(&err), 0);
	assert_false(hold_is_raised());
	assert_int_equal(hold_lower(&err), 0);
}

/* A segment for a socket that is not there yet is answered by a reset; but not under the hold. */
static void test_no_reset(void **state)
{
	assert_int_equal(try_from_peer(AF_INET, HERE4, 1, LIMIT_MS), ECONNREFUSED);
	assert_int_equal(try_from_peer(AF_INET6, HERE6, 1, LIMIT_MS), ECONNREFUSED);
	raise_hold();
	assert_int_equal(try_from_peer(AF_INET, HERE4, 1, SILENCE_MS), ETIMEDOUT);
	assert_int_equal(try_from_peer(AF_INET6, HERE6, 1, SILENCE_MS), ETIMEDOUT);
	assert_int_equal(hold_lower(NULL), 0);
	assert_int_equal(try_from_peer(AF_INET, HERE4, 1, LIMIT_MS), ECONNREFUSED);
}

/* A connection made before goes on after; in between not even what is sent here gets out. */
static void test_connection_lives(void **state)
{
	_cleanup_close_ int listener = -1, client = -1, server = -1;
	struct pollfd poller = {.events = POLLIN};
	char byte = 0;

	listener = listener_new(AF_INET, HERE4, 7001);
	enter(peer);
	client = connect_begin(AF_INET, HERE4, 7001);
	enter(here);
	assert_int_equal(connect_end(client, LIMIT_MS), 0);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(server >= 0);

	raise_hold();
	assert_int_equal(try_from_peer(AF_INET, HERE4, 7001, SILENCE_MS), ETIMEDOUT);
	assert_int_equal(write(server, "x", 1), 1);
	assert_int_equal(write(client, "y", 1), 1);
	poller.fd = client;
	assert_int_equal(poll(&poller, 1, SILENCE_MS), 0);
	poller.fd = server;
	assert_int_equal(poll(&poller, 1, SILENCE_MS), 0);

	assert_int_equal(hold_lower(NULL), 0);
	assert_int_equal(poll(&poller, 1, LIMIT_MS), 1);
	assert_int_equal(read(server, &byte, 1), 1);
	assert_int_equal(byte, 'y');
	poller.fd = client;
	assert_int_equal(poll(&poller, 1, LIMIT_MS), 1);
	assert_int_equal(read(client, &byte, 1), 1);
	assert_int_equal(byte, 'x');
}

/* Held for input only, a program still gets rid of what it has to say, but hears nothing. */
static void test_input(void **state)
{
	_cleanup_close_ int listener = -1, client = -1, server = -1;
	struct pollfd poller = {.events = POLLIN};
	Error err = {0};
	char byte = 0;

	listener = listener_new(AF_INET, HERE4, 7004);
	enter(peer);
	client = connect_begin(AF_INET, HERE4, 7004);
	enter(here);
	assert_int_equal(connect_end(client, LIMIT_MS), 0);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(server >= 0);

	assert_int_equal(hold_raise_input(&err), 0);
	assert_true(hold_is_raised());
	assert_int_equal(write(server, "x", 1), 1);
	poller.fd = client;
	assert_int_equal(poll(&poller, 1, LIMIT_MS), 1);
	assert_int_equal(read(client, &byte, 1), 1);
	assert_int_equal(write(client, "y", 1), 1);
	poller.fd = server;
	assert_int_equal(poll(&poller, 1, SILENCE_MS), 0);
	/* From one to the other without a moment in between. */
	raise_hold();
	assert_int_equal(write(server, "z", 1), 1);
	poller.fd = client;
	assert_int_equal(poll(&poller, 1, SILENCE_MS), 0);
	assert_int_equal(hold_lower(NULL), 0);
	assert_int_equal(poll(&poller, 1, LIMIT_MS), 1);
}

/* Nor does the end of a program reach its peers. */
static void test_no_end(void **state)
{
	_cleanup_close_ int listener = -1, client = -1;
	struct pollfd poller = {.events = POLLIN};
	struct linger abort = {.l_onoff = 1};
	int server;

	listener = listener_new(AF_INET6, HERE6, 7002);
	enter(peer);
	client = connect_begin(AF_INET6, HERE6, 7002);
	enter(here);
	assert_int_equal(connect_end(client, LIMIT_MS), 0);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(server >= 0);
	raise_hold();
	assert_int_equal(setsockopt(server, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort)), 0);
	assert_int_equal(close(server), 0);
	poller.fd = client;
	assert_int_equal(poll(&poller, 1, SILENCE_MS), 0);
}

static void test_loopback(void **state)
{
	_cleanup_close_ int four = -1, six = -1, client4 = -1, client6 = -1;

	raise_hold();
	four = listener_new(AF_INET, "127.0.0.1", 7003);
	six = listener_new(AF_INET6, "::1", 7003);
	client4 = connect_begin(AF_INET, "127.0.0.1", 7003);
	client6 = connect_begin(AF_INET6, "::1", 7003);
	assert_int_not_equal(four, six);
	assert_int_equal(connect_end(client4, LIMIT_MS), 0);
	assert_int_equal(connect_end(client6, LIMIT_MS), 0);
}

static int neighbour_match(const struct nlmsghdr *header, void *context, Error *err)
{
	(void)header;
	*(bool *)context = true;
	return 0;
}

/* The peer finds out our link address while the hold is up, by ARP and by neighbour discovery. */
static void test_neighbours(void **state)
{
	static const char *const addresses[] = {HERE4, HERE6};

	raise_hold();
	enter(peer);
	for (size_t i = 0; i < 2; i++) {
		_cleanup_close_ int client = -1;
		_cleanup_netlink_ Netlink watch = NETLINK_INIT;
		_cleanup_free_ char *output = NULL;
		const char *show[] = {"ip",  "neighbour", "show", addresses[i],
				      "nud", "reachable", NULL};

		/* The state that is waited for comes as a message of the group. */
		RUN("ip", "neighbour", "flush", "dev", "veth1");
		assert_int_equal(netlink_open(NETLINK_ROUTE, &watch, NULL), 0);
		assert_int_equal(netlink_join(&watch, 3 /* RTNLGRP_NEIGH */, NULL), 0);
		client = connect_begin(i ? AF_INET6 : AF_INET, addresses[i], 1);
		assert_true(client >= 0);
		for (;;) {
			bool seen = false;

			free(output);
			output = NULL;
			assert_int_equal(process_run(show, LIMIT_MS, &output, NULL), 0);
			if (strstr(output, "REACHABLE"))
				break;
			assert_int_equal(
				netlink_receive(&watch, LIMIT_MS, neighbour_match, &seen, NULL), 0);
		}
	}
	enter(here);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_idempotent, lower),
		cmocka_unit_test_teardown(test_no_reset, lower),
		cmocka_unit_test_teardown(test_connection_lives, lower),
		cmocka_unit_test_teardown(test_input, lower),
		cmocka_unit_test_teardown(test_no_end, lower),
		cmocka_unit_test_teardown(test_loopback, lower),
		cmocka_unit_test_teardown(test_neighbours, lower),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		print_message("1..0 # SKIP needs root and network namespaces\n");
		return 0;
	}
	return cmocka_run_group_tests_name("hold", tests, setup, NULL);
}
