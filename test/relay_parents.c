/* SPDX-License-Identifier: Apache-2.0 */
/* Parents that are no good are replaced in time, and what they send goes no further. */
#include "relay/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "relay_fixture.h"

static void test_a_slow_parent(void **state)
{
	int ports[3] = {0, relay_port(nodes[HUB].relay), -1};
	int64_t begin;

	node_start(1, 0);
	node_fetch(1, "r1", HUB, HUB);
	run_until(is_done, &nodes[1]);
	node_stop(1);
	node_start(1, LINK_RATE / 50);
	node_start(2, LINK_RATE);
	ports[0] = relay_port(nodes[1].relay);
	begin = clock_monotonic_us();
	node_fetch_from(2, "r1", ports, LINK_RATE, NULL);
	run_until_end(has_left, &nodes[2], begin + REPLACED_US);
	run_until(is_done, &nodes[2]);
	assert_whole(2, "r1");
	assert_int_equal(nodes[2].left, 1);
	assert_int_equal(nodes[2].again, 0);
	assert_string_equal(nodes[2].why, "It has become slow");
}

/* What one does that has a certificate, and does not want others to get the release. */
typedef enum Mischief { SILENT, LYING, STARVING } Mischief;

typedef struct Impostor {
	int fd, port;
	Mischief mischief;
	Credentials *credentials;
	sd_event_source *source, *tick;
	Bucket none;
	Link *link;
} Impostor;

static int impostor_frame(const Frame *frame, Blob *blob, void *data, Error *err)
{
	Impostor *impostor = data;
	static uint8_t zeros[CHUNK];
	Frame answer = {.type = FRAME_DATA, .n_chunks = 1, .size = CHUNK};
	_cleanup_blob_ Blob *lie = NULL;

	if (frame->type != FRAME_WANT || impostor->mischief != LYING)
		return 0;
	answer.chunks[0] = frame->chunks[0];
	lie = blob_of_frame(&answer);
	memcpy(lie->bytes + frame_size(&answer), zeros, sizeof(zeros));
	return link_send(impostor->link, lie);
}

static void impostor_drained(void *data)
{
}

static void impostor_ended(const Error *why, void *data)
{
}

static int impostor_tick(sd_event_source *source, uint64_t now, void *userdata)
{
	const Impostor *i = userdata;

	if (i->link && i->mischief == STARVING)
		(void)link_send_frame(i->link, &(Frame){.type = FRAME_STARVING});
	assert_true(sd_event_source_set_time(source, now + RELAY_TICK_US) >= 0);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int impostor_accept(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	Impostor *i = userdata;
	LinkSetup link = {.event = event,
			  .credentials = i->credentials,
			  .in = &i->none,
			  .out = &i->none,
			  .handler = {impostor_frame, impostor_drained, impostor_ended, i}};
	int socket = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (i->link)
		return close(socket);
	return link_accept(&link, socket, &i->link, NULL);
}

static void impostor_start(Impostor *i)
{
	_cleanup_free_ char *ca = in_top("ca.pem"), *key = in_top("ca.key");
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	assert_int_equal(credentials_read(&(CredentialFiles){ca, ca, key}, &i->credentials, NULL),
			 0);
	i->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(i->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(i->fd, 4), 0);
	i->port = address_port(i->fd);
	assert_true(sd_event_add_io(event, &i->source, i->fd, EPOLLIN, impostor_accept, i) >= 0);
	assert_true(sd_event_add_time(event, &i->tick, CLOCK_MONOTONIC, 0, 1000, impostor_tick,
				      i) >= 0);
}

static void impostor_stop(Impostor *i)
{
	(void)sd_event_source_disable_unref(i->source);
	(void)sd_event_source_disable_unref(i->tick);
	link_free(i->link);
	credentials_free(i->credentials);
	(void)close(i->fd);
}

/* It is left for the hub in time, and a child of who had it for a parent hears nothing of it. */
static void parent_is_replaced(Mischief mischief, const char *why)
{
	Impostor impostor = {.mischief = mischief};
	int ports[3] = {0, relay_port(nodes[HUB].relay), -1};
	int64_t begin = clock_monotonic_us();

	impostor_start(&impostor);
	ports[0] = impostor.port;
	node_start(1, 0);
	node_start(2, 0);
	node_fetch_from(1, "r1", ports, 0, NULL);
	node_fetch(2, "r1", 1, 1);
	run_until_end(has_left, &nodes[1], begin + REPLACED_US);
	if (!strstr(nodes[1].why, why))
		fail_msg("It was left as: %s", nodes[1].why);
	nodes[1].mark = nodes[1].there;
	run_until_end(has_gone_on, &nodes[1], begin + REPLACED_US);
	for (int i = 1; i <= 2; i++) {
		run_until(is_done, &nodes[i]);
		assert_whole(i, "r1");
		assert_int_equal(nodes[i].again, 0);
	}
	assert_int_equal(nodes[1].left, 1);
	if (mischief == LYING)
		assert_int_equal(nodes[2].left, 0);
	impostor_stop(&impostor);
}

static void test_a_lying_parent(void **state)
{
	parent_is_replaced(LYING, "is not what was signed");
}

static void test_a_silent_parent(void **state)
{
	parent_is_replaced(SILENT, "silent");
}

static void test_a_parent_that_never_has_anything(void **state)
{
	/* Longer than from one that is silent: it may not be its fault. */
	patience_us = PATIENCE_US / 4;
	parent_is_replaced(STARVING, "It has had nothing");
}

/* Between two chunks it has nothing, each time for a moment, for longer than is waited for one. */
static void test_a_parent_that_has_one_chunk_at_a_time(void **state)
{
	patience_us = PATIENCE_US / 5;
	node_start_with(1, &(RelaySetup){.rate_in = COPY / 3});
	node_start(2, 0);
	node_fetch(1, "r1", HUB, HUB);
	node_fetch(2, "r1", 1, HUB);
	run_until(is_done, &nodes[2]);
	if (nodes[2].left > 0)
		fail_msg("It was left: %s", nodes[2].why);
}

/* ---- strangers ---- */

static void stranger_gets_nothing(const char *why)
{
	node_fetch(1, "r1", HUB, HUB);
	run_until(has_left, &nodes[1]);
	assert_non_null(strstr(nodes[1].why, why));
	assert_int_equal(nodes[1].there, 0);
	assert_int_equal(relay_totals(nodes[HUB].relay).sent, 0);
	assert_int_equal(relay_totals(nodes[HUB].relay).children, 0);
}

static void test_a_parent_of_another_fleet(void **state)
{
	certificate_make("ca");
	node_start(1, 0);
	stranger_gets_nothing("Its certificate is not of this fleet's CA");
}

/* It believes the hub, and has a certificate that somebody else has signed. */
static void test_a_child_of_another_fleet(void **state)
{
	_cleanup_free_ char *ca = in_top("ca.pem"), *cert = in_top("other.pem"),
			    *key = in_top("other.key");
	RelaySetup other = {.files = {ca, cert, key}};

	certificate_make("other");
	node_start_with(1, &other);
	stranger_gets_nothing("");
}

/* The certificate that all of these have; the file is written when the relay runs already. */
static void ca_revoke(const char *path)
{
	_cleanup_free_ char *command = text_format(
		"openssl x509 -in %s/ca.pem -noout -serial | sed s/serial=// | tr A-F a-f >%s", top,
		path);

	assert_int_equal(system(command), 0); /* NOLINT(concurrency-mt-unsafe) */
}

static void test_a_revoked_parent(void **state)
{
	_cleanup_free_ char *ca = in_top("ca.pem"), *key = in_top("ca.key"),
			    *revoked = in_top("revoked");
	RelaySetup setup = {.files = {ca, ca, key, revoked}};

	node_start_with(1, &setup);
	ca_revoke(revoked);
	stranger_gets_nothing("or was revoked");
}

static void test_a_revoked_child(void **state)
{
	_cleanup_free_ char *ca = in_top("ca.pem"), *key = in_top("ca.key"),
			    *revoked = in_top("revoked");
	RelaySetup setup = {.files = {ca, ca, key, revoked}};

	node_stop(HUB);
	node_start_with(HUB, &setup);
	ca_revoke(revoked);
	node_start(1, 0);
	stranger_gets_nothing("");
}

/* Of others there is something in the file, and of this one nothing; or there is no file. */
static void test_others_are_revoked(void **state)
{
	_cleanup_free_ char *ca = in_top("ca.pem"), *key = in_top("ca.key"),
			    *revoked = in_top("revoked");
	RelaySetup setup = {.files = {ca, ca, key, revoked}};

	for (int i = 1; i <= 2; i++) {
		node_start_with(i, &setup);
		node_fetch(i, "r1", HUB, HUB);
		run_until(is_done, &nodes[i]);
		assert_int_equal(
			file_write_atomic(AT_FDCWD, revoked, "00\nabcdef\n", 10, 0600, NULL), 0);
	}
}

static void test_who_shows_no_certificate(void **state)
{
	static const uint8_t hello[] = "\1\0\0\0\44SGR1";
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)relay_port(nodes[HUB].relay)),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t end = clock_monotonic_us() + LIMIT_US;
	uint8_t answer[256];
	ssize_t n;

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(write(fd, hello, sizeof(hello)), sizeof(hello));
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	/* Until it is hung up on, with an alert of TLS at most (RFC 8446, 6). */
	do {
		assert_true(clock_monotonic_us() < end);
		assert_true(sd_event_run(event, 100000) >= 0);
		n = read(fd, answer, sizeof(answer));
		assert_true(n <= 7);
	} while (n > 0 || (n < 0 && errno == EAGAIN));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fleet_make, fleet_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_slow_parent),
		TEST(test_a_lying_parent),
		TEST(test_a_silent_parent),
		TEST(test_a_parent_that_never_has_anything),
		TEST(test_a_parent_that_has_one_chunk_at_a_time),
		TEST(test_a_parent_of_another_fleet),
		TEST(test_a_child_of_another_fleet),
		TEST(test_a_revoked_parent),
		TEST(test_a_revoked_child),
		TEST(test_others_are_revoked),
		TEST(test_who_shows_no_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
