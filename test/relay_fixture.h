/* SPDX-License-Identifier: Apache-2.0 */
/* A hub and nodes, all of them in one event loop on the loopback. */
#pragma once

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "relay/relay.h"
#include "test.h"

#define CHUNK       MANIFEST_CHUNK_MIN
#define FILE_SIZE   ((int64_t)512 << 10)
#define COPY        (2 * FILE_SIZE)
#define CHUNKS      ((int)(2 * (FILE_SIZE / CHUNK)))
#define LINK_RATE   ((int64_t)1 << 20) /* so that a copy takes a second */
#define PATIENCE_US ((int64_t)1000000)
#define LIMIT_US    (20 * INT64_C(1000000))
#define REPLACED_US (2 * INT64_C(1000000)) /* a parent is replaced in that time */
#define HUB         0
#define NODES       6

typedef struct Node {
	Relay *relay;
	int done; /* releases, since the last was asked for */
	int left, troubles, removed;
	size_t there; /* of the chunks */
	size_t mark;  /* how many were there at a moment that a test chose */
	int again;    /* chunks that came though they were there */
	int64_t left_us, done_us;
	char why[sizeof(((Error *)NULL)->text)];
} Node;

extern char top[64]; /* everything is below it */
extern sd_event *event;
extern int64_t patience_us; /* of orders; PATIENCE_US at the beginning of a test */
extern Node nodes[NODES];

/* Fixtures of a test: a CA, release r1 at the hub, the hub, whose links have LINK_RATE. */
int fleet_make(void **state);
int fleet_remove(void **state);

/* The caller frees them. */
char *in_top(const char *name);
char *of_node(int number, const char *name);

/* A certificate that signs itself, and its key: NAME.pem and NAME.key. */
void certificate_make(const char *name);

/* A release in the hub's depot, and its document where orders find it.  The modules are the same in
 * all of them; the kernel comes from the seed. */
void release_make(const char *name, uint32_t seed);

/* With what is set in it: limits, certificates. */
void node_start_with(int number, const RelaySetup *given);
void node_start(int number, int64_t link_rate);
void node_stop(int number);

/* An order: `rate` may be 0, `keep` NULL; of the ports the last is -1. */
void node_fetch_from(int number, const char *release, const int *ports, int64_t rate,
		     const char *keep);
/* From these nodes. */
void node_fetch(int number, const char *release, int first, int second);

bool is_done(const Node *node);
bool is_halfway(const Node *node);
bool has_gone_on(const Node *node); /* since its mark */
bool has_left(const Node *node);
bool has_trouble(const Node *node);

/* Fails the test if it does not happen in LIMIT_US, or until `end_us`. */
void run_until(bool (*holds)(const Node *node), const Node *node);
void run_until_end(bool (*holds)(const Node *node), const Node *node, int64_t end_us);

void assert_whole(int number, const char *release);
