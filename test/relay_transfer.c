/* SPDX-License-Identifier: Apache-2.0 */
/* Releases from node to node, all of them in one event loop on the loopback. */
#include "relay/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "test.h"

#define CHUNK       MANIFEST_CHUNK_MIN
#define FILE_SIZE   ((int64_t)512 << 10)
#define COPY        (2 * FILE_SIZE)
#define CHUNKS      (2 * (FILE_SIZE / CHUNK))
#define LINK_RATE   ((int64_t)1 << 20) /* so that it takes a second */
#define PATIENCE_MS 1000
#define LIMIT_US    (20 * INT64_C(1000000))
#define REPLACED_US (2 * INT64_C(1000000)) /* a parent is replaced in that time */
#define NODES       6 /* the first is the hub */

typedef struct Node {
	Relay *relay;
	bool done;
	int left, troubles;
	size_t there; /* of the chunks */
	size_t mark;  /* how many were there at a moment that a test chose */
	int again;    /* chunks that came though they were there */
	char why[sizeof(((Error *)NULL)->text)];
} Node;

static char top[64];
static sd_event *event;
static Node nodes[NODES];

static char *in_top(const char *name)
{
	char *path = text_format("%s/%s", top, name);

	assert_non_null(path);
	return path;
}

/* What is of a node. */
static char *of_node(int number, const char *name)
{
	char *path = text_format("%s/%d%s", top, number, name);

	assert_non_null(path);
	return path;
}

/* ---- what there is ---- */

static void file_make(int dir, const char *name, uint32_t seed, ManifestFile *ret)
{
	_cleanup_free_ uint8_t *bytes = malloc((size_t)FILE_SIZE);

	for (int64_t i = 0; i < FILE_SIZE; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(seed >> 24);
	}
	assert_int_equal(file_write_atomic(dir, name, bytes, (size_t)FILE_SIZE, 0644, NULL), 0);
	assert_int_equal(content_hash(dir, name, CHUNK, NULL, ret, NULL), 0);
}

/* A release in the hub's depot, and its document where orders find it. */
static void release_make(const char *name, uint32_t seed)
{
	_cleanup_free_ char *hub = in_top("0/releases"), *text = NULL;
	_cleanup_free_ char *path = text_format("%s/%s", hub, name);
	_cleanup_free_ char *document = text_format("%s/document-%s", top, name);
	_cleanup_close_ int dir = -1, orders = -1;
	Manifest m = {.version = (int64_t)seed,
		      .epoch = 1,
		      .created_s = 1800000000,
		      .expires_s = 1900000000,
		      .chunk_size = CHUNK,
		      .n_files = 2};
	size_t size;

	(void)snprintf(m.name, sizeof(m.name), "%s", name);
	(void)snprintf(m.channel, sizeof(m.channel), "main");
	(void)snprintf(m.kernel, sizeof(m.kernel), "7.0");
	assert_int_equal(directory_make(AT_FDCWD, path, 0755, NULL), 0);
	assert_int_equal(directory_make(AT_FDCWD, document, 0755, NULL), 0);
	dir = open(path, O_RDONLY | O_DIRECTORY);
	orders = open(document, O_RDONLY | O_DIRECTORY);
	/* The modules are the same in all of them. */
	file_make(dir, RELEASE_KERNEL, seed, &m.files[0]);
	file_make(dir, RELEASE_MODULES, 77, &m.files[1]);
	assert_int_equal(manifest_compose(&m, &text, &size, NULL), 0);
	assert_int_equal(file_write_atomic(dir, MANIFEST_FILE, text, size, 0644, NULL), 0);
	assert_int_equal(file_write_atomic(orders, MANIFEST_FILE, text, size, 0644, NULL), 0);
	free(m.files[0].chunks);
	free(m.files[1].chunks);
}

static void on_report(const RelayReport *report, void *data)
{
	Node *node = data;

	node->done = node->done || report->news == RELAY_DONE;
	node->left += report->news == RELAY_LEFT;
	node->troubles += report->news == RELAY_TROUBLE;
	if (report->news == RELAY_PROGRESS) {
		node->again += report->chunks_there <= node->there;
		node->there = report->chunks_there;
	}
	if (report->why)
		(void)snprintf(node->why, sizeof(node->why), "%s", report->why->text);
}

static void node_start(int number, int64_t link_rate, int64_t quota)
{
	_cleanup_free_ char *depot = of_node(number, ""), *ca = in_top("ca.pem"),
			    *key = in_top("ca.key");
	RelaySetup setup = {
		.event = event,
		.depot = depot,
		.address = "127.0.0.1",
		.files = {ca, ca, key},
		.link_rate = link_rate,
		.quota = quota,
		.max_children = 4,
		.tell = on_report,
		.data = &nodes[number],
	};
	Error err = {0};

	nodes[number] = (Node){0};
	if (relay_new(&setup, &nodes[number].relay, &err) < 0)
		fail_msg("%s", err.text);
}

/* From those parents, the last of which is -1. */
static void node_fetch_from(int number, const char *release, const int *ports, int64_t rate)
{
	Order order = {.stripes = 1, .patience_us = PATIENCE_MS * 1000, .rate = rate};
	Error err = {0};

	(void)snprintf(order.release, sizeof(order.release), "%s", release);
	order.document = text_format("%s/document-%s", top, release);
	for (; ports[order.n_parents[0]] >= 0; order.n_parents[0]++)
		assert_int_equal(address_parse("127.0.0.1", ports[order.n_parents[0]],
					       &order.parents[0][order.n_parents[0]], NULL),
				 0);
	nodes[number].done = false;
	if (relay_fetch(nodes[number].relay, &order, &err) < 0)
		fail_msg("%s", err.text);
	order_release(&order);
}

static void node_fetch(int number, const char *release, int first, int second)
{
	int ports[3] = {relay_port(nodes[first].relay), relay_port(nodes[second].relay), -1};

	node_fetch_from(number, release, ports, 0);
}

static bool is_done(const void *node)
{
	return ((const Node *)node)->done;
}

static bool is_halfway(const void *node)
{
	return ((const Node *)node)->there >= (size_t)CHUNKS / 2;
}

static bool has_gone_on(const void *node)
{
	return ((const Node *)node)->there > ((const Node *)node)->mark;
}

static bool has_trouble(const void *node)
{
	return ((const Node *)node)->troubles > 0;
}

static void run_until_end(bool (*holds)(const void *data), const Node *node, int64_t end_us)
{
	while (!holds(node)) {
		if (clock_monotonic_us() > end_us)
			fail_msg("It does not happen to node %td: it has %zu of %d chunks; %s",
				 node - nodes, node->there, (int)CHUNKS, node->why);
		assert_true(sd_event_run(event, 100000) >= 0);
	}
}

static void run_until(bool (*holds)(const void *data), const Node *node)
{
	run_until_end(holds, node, clock_monotonic_us() + LIMIT_US);
}

static void assert_whole(int number, const char *release)
{
	_cleanup_free_ char *path = of_node(number, "/releases");
	_cleanup_free_ char *name = text_format("%s/%s", path, release);
	_cleanup_close_ int dir = open(name, O_RDONLY | O_DIRECTORY);
	_cleanup_release_ Release *r = NULL;

	assert_int_equal(release_open_at(dir, &r, NULL), 0);
	for (size_t i = 0; i < r->manifest->n_files; i++)
		assert_int_equal(
			content_check(dir, r->manifest, &r->manifest->files[i], NULL, NULL), 0);
}

static int setup(void **state)
{
	_cleanup_free_ char *command = NULL;

	(void)strcpy(top, "/tmp/segue-test-relay-XXXXXX");
	if (!mkdtemp(top) || sd_event_new(&event) < 0)
		return -1;
	command = text_format("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
			      "-nodes -days 2 -subj /CN=fleet -keyout %s/ca.key -out %s/ca.pem "
			      "2>/dev/null",
			      top, top);
	if (system(command) != 0) /* NOLINT(concurrency-mt-unsafe) */
		return -1;
	release_make("r1", 1);
	node_start(0, LINK_RATE, 0);
	return 0;
}

static int teardown(void **state)
{
	for (int i = 0; i < NODES; i++) {
		relay_free(nodes[i].relay);
		nodes[i].relay = NULL;
	}
	(void)sd_event_unref(event);
	return directory_remove(AT_FDCWD, top, NULL);
}

/* ---- the tests ---- */

static void test_a_chain_that_loses_a_node(void **state)
{
	int64_t end;

	for (int i = 1; i < NODES; i++)
		node_start(i, LINK_RATE, 0);
	for (int i = 1; i < NODES; i++)
		node_fetch(i, "r1", i - 1, i > 1 ? i - 2 : 0);
	run_until(is_halfway, &nodes[2]);
	/* It is passed on while it is being received. */
	assert_true(nodes[5].there > 0);
	relay_free(nodes[2].relay);
	nodes[2].relay = NULL;
	for (int i = 3; i < NODES; i++)
		nodes[i].mark = nodes[i].there;
	end = clock_monotonic_us() + REPLACED_US;
	for (int i = 3; i < NODES; i++)
		run_until_end(has_gone_on, &nodes[i], end);
	for (int i = 1; i < NODES; i++)
		if (i != 2) {
			run_until(is_done, &nodes[i]);
			assert_whole(i, "r1");
			assert_int_equal(nodes[i].again, 0);
		}
	/* Only who had it for a parent leaves one. */
	for (int i = 1; i < NODES; i++)
		if (i != 2 && nodes[i].left != (i == 3))
			fail_msg("Node %d left %d parents: %s", i, nodes[i].left, nodes[i].why);
}

static void test_who_comes_back_goes_on(void **state)
{
	node_start(1, LINK_RATE, 0);
	node_fetch(1, "r1", 0, 0);
	run_until(is_halfway, &nodes[1]);
	relay_free(nodes[1].relay);
	node_start(1, LINK_RATE, 0);
	node_fetch(1, "r1", 0, 0);
	run_until(is_done, &nodes[1]);
	assert_whole(1, "r1");
	assert_true(relay_totals(nodes[0].relay).sent < COPY * 13 / 10);
}

static void test_same_content_is_not_sent_twice(void **state)
{
	int64_t sent;

	node_start(1, 0, 0);
	node_fetch(1, "r1", 0, 0);
	run_until(is_done, &nodes[1]);
	sent = relay_totals(nodes[0].relay).sent;
	release_make("r2", 2);
	node_fetch(1, "r2", 0, 0);
	run_until(is_done, &nodes[1]);
	assert_whole(1, "r2");
	sent = relay_totals(nodes[0].relay).sent - sent;
	assert_in_range(sent, FILE_SIZE, FILE_SIZE * 11 / 10);
}

static void test_old_releases_make_room(void **state)
{
	_cleanup_free_ char *r1 = in_top("1/releases/r1"), *r2 = in_top("1/releases/r2");

	release_make("r2", 2);
	release_make("r3", 3);
	release_make("r4", 4);
	node_start(1, 0, 3 * COPY);
	for (int i = 1; i <= 4; i++) {
		_cleanup_free_ char *name = text_format("r%d", i);

		node_fetch(1, name, 0, 0);
		run_until(is_done, &nodes[1]);
	}
	assert_false(path_exists(AT_FDCWD, r1));
	assert_true(path_exists(AT_FDCWD, r2));
	assert_whole(1, "r4");
}

static void test_a_slow_parent(void **state)
{
	int ports[3] = {0, relay_port(nodes[0].relay), -1};

	node_start(1, 0, 0);
	node_fetch(1, "r1", 0, 0);
	run_until(is_done, &nodes[1]);
	relay_free(nodes[1].relay);
	node_start(1, LINK_RATE / 50, 0);
	node_start(2, LINK_RATE, 0);
	ports[0] = relay_port(nodes[1].relay);
	node_fetch_from(2, "r1", ports, LINK_RATE);
	run_until(is_done, &nodes[2]);
	assert_whole(2, "r1");
	assert_int_equal(nodes[2].left, 1);
	assert_string_equal(nodes[2].why, "It has become slow");
}

/* One that shakes hands and says nothing more, or sends what was not signed. */
typedef struct Impostor {
	int fd, port;
	bool silent;
	Credentials *credentials;
	sd_event_source *source;
	Bucket none;
	Link *link;
	bool ended;
} Impostor;

static int impostor_frame(const Frame *frame, Blob *blob, void *data, Error *err)
{
	Impostor *impostor = data;
	static uint8_t zeros[CHUNK];
	Frame answer = {.type = FRAME_DATA, .n_chunks = 1, .size = CHUNK};
	_cleanup_blob_ Blob *lie = NULL;

	if (frame->type != FRAME_WANT || impostor->silent)
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
	((Impostor *)data)->ended = true;
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
}

static void impostor_stop(Impostor *i)
{
	(void)sd_event_source_disable_unref(i->source);
	link_free(i->link);
	credentials_free(i->credentials);
	(void)close(i->fd);
}

static void parent_is_replaced(bool silent, const char *why)
{
	Impostor impostor = {.silent = silent};
	int ports[3] = {0, relay_port(nodes[0].relay), -1};
	int64_t begin = clock_monotonic_us();

	impostor_start(&impostor);
	ports[0] = impostor.port;
	node_start(1, 0, 0);
	node_fetch_from(1, "r1", ports, 0);
	run_until(is_done, &nodes[1]);
	assert_whole(1, "r1");
	assert_int_equal(nodes[1].left, 1);
	if (!strstr(nodes[1].why, why))
		fail_msg("It was left as: %s", nodes[1].why);
	/* A second for what the hub's link allows, and the patience. */
	assert_true(clock_monotonic_us() - begin < 4000000);
	impostor_stop(&impostor);
}

static void test_a_lying_parent(void **state)
{
	parent_is_replaced(false, "is not what was signed");
}

static void test_a_silent_parent(void **state)
{
	parent_is_replaced(true, "silent");
}

static void test_a_full_disk(void **state)
{
	struct rlimit before, small;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){FILE_SIZE / 2, before.rlim_max};
	node_start(1, LINK_RATE, 0);
	node_fetch(1, "r1", 0, 0);
	/* Of the second file, chunks after the first half cannot be written. */
	run_until(is_halfway, &nodes[1]);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	run_until(has_trouble, &nodes[1]);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(nodes[1].why, "Writing modules.tar.zst of release r1"));
	assert_int_equal(nodes[1].troubles, 1);
	assert_false(nodes[1].done);
	run_until(is_done, &nodes[1]);
	assert_whole(1, "r1");
	assert_int_equal(nodes[1].left, 0);
}

static void test_strangers_get_nothing(void **state)
{
	_cleanup_free_ char *command = NULL;

	command = text_format("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
			      "-nodes -days 2 -subj /CN=other -keyout %s/ca.key -out %s/ca.pem "
			      "2>/dev/null",
			      top, top);
	assert_int_equal(system(command), 0); /* NOLINT(concurrency-mt-unsafe) */
	node_start(1, 0, 0);
	node_fetch(1, "r1", 0, 0);
	while (nodes[1].left == 0)
		assert_true(sd_event_run(event, 100000) >= 0);
	assert_string_equal(nodes[1].why, "Its certificate is not of this fleet's CA");
	assert_int_equal(relay_totals(nodes[0].relay).sent, 0);
}

/* ---- what decides, by itself ---- */

static void test_clean_decide(void **state)
{
	CleanItem items[] = {{10, 5, false, false}, {10, 1, true, false}, {10, 3, false, false}};
	Error err = {0};

	assert_int_equal(clean_decide(items, 3, 10, 0, NULL), 0);
	assert_int_equal(clean_decide(items, 3, 10, 40, NULL), 0);
	assert_false(items[0].remove || items[1].remove || items[2].remove);
	assert_int_equal(clean_decide(items, 3, 10, 39, NULL), 0);
	assert_true(items[2].remove && !items[0].remove && !items[1].remove);
	items[2].remove = false;
	assert_int_equal(clean_decide(items, 3, 10, 19, &err), -EDQUOT);
	assert_non_null(strstr(err.text, "raise it"));
	assert_false(items[1].remove);
}

static void test_bucket(void **state)
{
	Bucket bucket = {.rate = 1000000}, none = {0};
	int64_t now = 5000000, sent = 0;

	bucket_take(&none, 1 << 30);
	assert_int_equal(bucket_wait_us(&none, now), 0);
	for (int64_t begin = now; now - begin < 2000000;) {
		int64_t wait = bucket_wait_us(&bucket, now);

		if (wait == 0) {
			bucket_take(&bucket, 1500);
			sent += 1500;
		}
		now += wait;
	}
	assert_in_range(sent, 1990000, 2030000);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_chain_that_loses_a_node),
		TEST(test_who_comes_back_goes_on),
		TEST(test_same_content_is_not_sent_twice),
		TEST(test_old_releases_make_room),
		TEST(test_a_slow_parent),
		TEST(test_a_lying_parent),
		TEST(test_a_silent_parent),
		TEST(test_a_full_disk),
		TEST(test_strangers_get_nothing),
		cmocka_unit_test(test_clean_decide),
		cmocka_unit_test(test_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
