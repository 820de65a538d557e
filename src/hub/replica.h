/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several hubs with one state.  One of them leads: it alone changes the state, and every durable
 * transaction of its database is in etcd before it is committed.  The others follow: they make the
 * same changes to databases of their own, and one of them leads when the leader is gone.
 *
 * In etcd, below a prefix:
 *   cluster          a random name, so that no two states are mixed
 *   leader           the address of who leads, bound to a lease
 *   log/NUMBER       what a transaction has changed (a patch set of SQLite's session extension)
 *   snapshot         the number of the last transaction that the snapshot has in it, and its parts
 *   snapshot/NUMBER/PART
 *
 * A transaction is put under the next number, on the conditions that there is none of that number
 * and that the leader's key is still the one that this hub has made: so who was leader once and
 * does not know yet that another is can change nothing.  What a transaction of mode DB_RELAXED
 * changes, which nodes tell again, stays with the leader.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hub/db.h"
#include "hub/etcd.h"

#define REPLICA_PREFIX    "/segue"
#define REPLICA_FOLLOW_US 500000U  /* between looks of who follows */
#define REPLICA_KEEP_US   2000000U /* between signs of life of who leads */
#define REPLICA_LEASE_S   6        /* without one, another may lead */

typedef struct Replica Replica;

typedef struct ReplicaSetup {
	EtcdOptions etcd;
	const char *prefix;
	const char *address; /* HOST:PORT, where nodes and other hubs reach this one */
} ReplicaSetup;

int replica_open(const ReplicaSetup *setup, Replica **ret, Error *err);
/* Who leads does not any more. */
void replica_close(Replica *replica);
static inline void cleanup_replica(Replica **replica)
{
	replica_close(*replica);
}
#define _cleanup_replica_ __attribute__((cleanup(cleanup_replica)))

/* Makes the database of a hub that has none yet, of what is in etcd; replaces one that there is.
 * -ENOENT: there is nothing in etcd. */
int replica_fetch(Replica *replica, const char *directory, Error *err);

/* With the database of this hub from now on, which only the leader can change.  With `publish` what
 * is in it is put into etcd first, where nothing may be yet. -EEXIST: there is; -ENOENT: etcd has
 * nothing of it; -EBADMSG: etcd has another state; -ESTALE: the database is too old, and
 * replica_fetch() is to replace it. */
int replica_attach(Replica *replica, Db *db, bool publish, Error *err);

/* The database is about to be closed. */
void replica_detach(Replica *replica);

/* For who follows: takes over what has changed, and leads if nobody else does.  -ESTALE: as above;
 * -EHOSTUNREACH: not now. */
typedef struct ReplicaNews {
	bool changed; /* something in the database */
	bool leads;   /* this hub, from now on */
} ReplicaNews;
int replica_follow(Replica *replica, ReplicaNews *ret, Error *err);

/* For who leads: a sign of life, and a snapshot when it is time for one.  -ESTALE: it leads no
 * more. */
int replica_keep(Replica *replica, Error *err);

bool replica_leads(const Replica *replica);

/* HOST:PORT of who leads, as far as is known; "": nobody. */
const char *replica_leader(const Replica *replica);
