/* SPDX-License-Identifier: Apache-2.0 */
#include "relay_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char top[64];
sd_event *event;
int64_t patience_us;
Node nodes[NODES];

char *in_top(const char *name)
{
	char *path = text_format("%s/%s", top, name);

	assert_non_null(path);
	return path;
}

char *of_node(int number, const char *name)
{
	char *path = text_format("%s/%d%s", top, number, name);

	assert_non_null(path);
	return path;
}

/* ---- what there is ---- */

void certificate_make(const char *name)
{
	_cleanup_free_ char *command = text_format(
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
		"-subj /CN=%s -keyout %s/%s.key -out %s/%s.pem 2>/dev/null",
		name, top, name, top, name);

	assert_int_equal(system(command), 0); /* NOLINT(concurrency-mt-unsafe) */
}

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

void release_make(const char *name, uint32_t seed)
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
	file_make(dir, RELEASE_KERNEL, seed, &m.files[0]);
	file_make(dir, RELEASE_MODULES, 77, &m.files[1]);
	assert_int_equal(manifest_compose(&m, &text, &size, NULL), 0);
	assert_int_equal(file_write_atomic(dir, MANIFEST_FILE, text, size, 0644, NULL), 0);
	assert_int_equal(file_write_atomic(orders, MANIFEST_FILE, text, size, 0644, NULL), 0);
	free(m.files[0].chunks);
	free(m.files[1].chunks);
}

/* ---- nodes ---- */

static void on_report(const RelayReport *report, void *data)
{
	int64_t now = clock_monotonic_us();
	Node *node = data;

	if (report->news == RELAY_DONE) {
		node->done++;
		node->done_us = now;
	}
	if (report->news == RELAY_LEFT && node->left++ == 0)
		node->left_us = now;
	node->troubles += report->news == RELAY_TROUBLE;
	node->removed += report->news == RELAY_REMOVED;
	if (report->news == RELAY_PROGRESS) {
		node->again += report->chunks_there <= node->there;
		node->there = report->chunks_there;
	}
	if (report->why)
		(void)snprintf(node->why, sizeof(node->why), "%s", report->why->text);
}

void node_start_with(int number, const RelaySetup *given)
{
	_cleanup_free_ char *depot = of_node(number, ""), *ca = in_top("ca.pem"),
			    *key = in_top("ca.key");
	RelaySetup setup = *given;
	Error err = {0};

	setup.event = event;
	setup.depot = depot;
	setup.address = "127.0.0.1";
	if (!setup.files.ca)
		setup.files = (CredentialFiles){ca, ca, key};
	setup.tell = on_report;
	setup.data = &nodes[number];
	if (setup.max_children == 0)
		setup.max_children = 4;
	nodes[number] = (Node){0};
	if (relay_new(&setup, &nodes[number].relay, &err) < 0)
		fail_msg("%s", err.text);
}

void node_start(int number, int64_t link_rate)
{
	node_start_with(number, &(RelaySetup){.link_rate = link_rate});
}

void node_stop(int number)
{
	relay_free(nodes[number].relay);
	nodes[number].relay = NULL;
}

void node_fetch_from(int number, const char *release, const int *ports, int64_t rate,
		     const char *keep)
{
	Order order = {.stripes = 1, .patience_us = patience_us, .rate = rate};
	Error err = {0};

	(void)snprintf(order.release, sizeof(order.release), "%s", release);
	order.document = text_format("%s/document-%s", top, release);
	if (keep)
		(void)snprintf(order.keep[order.n_keep++], sizeof(order.keep[0]), "%s", keep);
	for (; ports[order.n_parents[0]] >= 0; order.n_parents[0]++)
		assert_int_equal(address_parse("127.0.0.1", ports[order.n_parents[0]],
					       &order.parents[0][order.n_parents[0]], NULL),
				 0);
	nodes[number].done = 0;
	nodes[number].there = 0;
	if (relay_fetch(nodes[number].relay, &order, &err) < 0)
		fail_msg("%s", err.text);
	order_release(&order);
}

void node_fetch(int number, const char *release, int first, int second)
{
	int ports[3] = {relay_port(nodes[first].relay), relay_port(nodes[second].relay), -1};

	node_fetch_from(number, release, ports, 0, NULL);
}

/* ---- what happens ---- */

bool is_done(const Node *node)
{
	return node->done > 0;
}

bool is_halfway(const Node *node)
{
	return node->there >= (size_t)CHUNKS / 2;
}

bool has_gone_on(const Node *node)
{
	return node->there > node->mark;
}

bool has_left(const Node *node)
{
	return node->left > 0;
}

bool has_trouble(const Node *node)
{
	return node->troubles > 0;
}

void run_until_end(bool (*holds)(const Node *node), const Node *node, int64_t end_us)
{
	while (!holds(node)) {
		if (clock_monotonic_us() > end_us)
			fail_msg("It does not happen to node %td: it has %zu of %d chunks; %s",
				 node - nodes, node->there, CHUNKS, node->why);
		assert_true(sd_event_run(event, 100000) >= 0);
	}
}

void run_until(bool (*holds)(const Node *node), const Node *node)
{
	run_until_end(holds, node, clock_monotonic_us() + LIMIT_US);
}

void assert_whole(int number, const char *release)
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

/* ---- the fixtures ---- */

int fleet_make(void **state)
{
	(void)strcpy(top, "/tmp/segue-test-relay-XXXXXX");
	if (!mkdtemp(top) || sd_event_new(&event) < 0)
		return -1;
	patience_us = PATIENCE_US;
	certificate_make("ca");
	release_make("r1", 1);
	node_start(HUB, LINK_RATE);
	return 0;
}

int fleet_remove(void **state)
{
	for (int i = 0; i < NODES; i++)
		node_stop(i);
	event = sd_event_unref(event);
	return directory_remove(AT_FDCWD, top, NULL);
}
