/* SPDX-License-Identifier: Apache-2.0 */
/* A real etcd of three members, on this machine's loopback. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

#define ETCD_MEMBERS 3

typedef struct EtcdFixture {
	char directory[48];
	char members[160]; /* as segue-hub's --etcd has them */
	unsigned client[ETCD_MEMBERS], peer[ETCD_MEMBERS];
	pid_t pids[ETCD_MEMBERS]; /* 0: it does not run */
} EtcdFixture;

/* Whether this machine has etcd. */
bool etcd_is_there(void);

/* Starts all, and waits until they have a leader.  -ETIMEDOUT. */
int etcd_fixture_make(EtcdFixture *ret, Error *err);
void etcd_fixture_remove(EtcdFixture *fixture);

/* As at any moment, without a chance to say anything; and again with what it has on disk. */
void etcd_fixture_kill(EtcdFixture *fixture, size_t member);
int etcd_fixture_start(EtcdFixture *fixture, size_t member, Error *err);
