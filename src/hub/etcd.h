/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd, through the HTTP/JSON gateway that each of its members has (API version 3): what hubs that
 * share their state ask of it.  Members are tried one after the other, beginning with the one that
 * answered last.
 *
 * Calls block, for ETCD_ANSWER_MS at most with each member.  Errors: -EHOSTUNREACH: no member
 * answered, and what was to be changed may have been, or not; -EPROTO: what answered is no etcd,
 * refuses, or is not who it should be.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define ETCD_ANSWER_MS 2000
#define ETCD_VALUE_MAX ((size_t)1 << 20) /* what fits into a request of etcd's 1.5 MiB */

typedef struct EtcdOptions {
	const char *members;     /* URLs with commas between them */
	const char *authority;   /* who says who they are: path, PEM; NULL: who the system says */
	const char *certificate; /* ours, and its key: paths; NULL: none */
	const char *key;
} EtcdOptions;

typedef struct Etcd Etcd;

/* Connects to nothing yet.  -EINVAL: that is no list of URLs. */
int etcd_open(const EtcdOptions *options, Etcd **ret, Error *err);
void etcd_close(Etcd *etcd);
static inline void cleanup_etcd(Etcd **etcd)
{
	etcd_close(*etcd);
}
#define _cleanup_etcd_ __attribute__((cleanup(cleanup_etcd)))

/* A value with its key; bytes of both may be anything. */
typedef struct EtcdValue {
	char *key; /* owned, as `bytes` */
	void *bytes;
	size_t size;
	int64_t created; /* revision at which the key came into being */
	bool leased;
} EtcdValue;

typedef struct EtcdValues {
	EtcdValue *list;
	size_t n;
} EtcdValues;

void etcd_values_release(EtcdValues *values);
#define _cleanup_etcd_values_ __attribute__((cleanup(etcd_values_release)))

/* The value of a key: 1, or 0 if there is none. */
int etcd_get(Etcd *etcd, const char *key, EtcdValues *ret, Error *err);

/* Keys from `first` on and before `end`, by their names, at most `limit` of them. */
int etcd_range(Etcd *etcd, const char *first, const char *end, int64_t limit, EtcdValues *ret,
	       Error *err);

/* What must be so for a change to be made. */
typedef struct EtcdCondition {
	const char *key;
	int64_t created; /* its revision of that kind; 0: there is no such key */
} EtcdCondition;

typedef struct EtcdChange {
	const char *key;
	const void *bytes;
	size_t size;
	int64_t lease; /* with which it goes; 0: none */
} EtcdChange;

/* Puts a value if all conditions hold, in one step: 1, or 0 if one does not.  *ret_revision: at
 * which it was put. */
int etcd_put(Etcd *etcd, const EtcdCondition conditions[], size_t n, const EtcdChange *change,
	     int64_t *ret_revision, Error *err);

/* Removes keys from `first` on and before `end`. */
int etcd_remove(Etcd *etcd, const char *first, const char *end, Error *err);

/* A lease, which ends with all keys that are bound to it unless it is kept. */
int etcd_lease(Etcd *etcd, int64_t seconds, int64_t *ret_lease, Error *err);
/* 1: it lives; 0: it has ended. */
int etcd_lease_keep(Etcd *etcd, int64_t lease, Error *err);
int etcd_lease_end(Etcd *etcd, int64_t lease, Error *err);
