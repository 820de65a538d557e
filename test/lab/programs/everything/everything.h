/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that has one of every kind of resource, and looks all the time whether each still is as
 * it was left.  Whoever stops it for a while, or moves it, is not to be noticed.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One kind of resource: set up once, then checked in every round. */
typedef struct Resource {
	const char *name;
	void (*setup)(void);
	void (*check)(void);
} Resource;

extern const Resource socket_resources[], event_resources[], file_resources[], memory_resources[],
	process_resources[], stream_resources[];

/* What all of its processes share; made before everything else. */
typedef struct Shared {
	_Atomic uint64_t violations;
	_Atomic uint64_t
		exchanged[4]; /* lines that came back: tcp4 and tcp6 out, tcp4 and tcp6 in */
	_Atomic uint64_t heartbeats[4]; /* of the helper processes and threads */
	_Atomic uint64_t rounds;
} Shared;

extern Shared *shared;

/* The other host, with an echo service on `peer_port`; and the port that is served here. */
extern const char *peer4, *peer6;
extern uint16_t peer_port, own_port;

/* A violation of what the resource being checked promises. */
void violation(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Setting up failed: there is no point in going on. */
void give_up(const char *what) __attribute__((noreturn));

/* Returns the result, or gives up when it is negative. */
int must(int result, const char *what);

/* Counts as a violation when it does not hold. */
#define expect(condition, ...)                                                                     \
	do {                                                                                       \
		if (!(condition))                                                                  \
			violation(__VA_ARGS__);                                                    \
	} while (0)

/* Waits for input on a descriptor, at most that long; true when there is some. */
bool readable(int fd, int limit_ms);

/* A helper process that runs `loop` for ever; it ends with its parent. */
pid_t helper(void (*loop)(void));
