/* SPDX-License-Identifier: Apache-2.0 */
/* Who the hub is: its certificate authority, and the certificate that it shows to nodes. */
#pragma once

#include "hub/authority.h"
#include "hub/db.h"

#define IDENTITY_NAMES_MAX 16

typedef struct Identity {
	Authority *authority;                /* owned */
	char *certificate, *key;             /* PEM; owned; the hub's as a server */
	char *names[IDENTITY_NAMES_MAX + 1]; /* owned; that nodes reach it by; ends with NULL */
	int64_t renew_s;
} Identity;

void identity_release(Identity *identity);
#define _cleanup_identity_ __attribute__((cleanup(identity_release)))

/* Stores an authority in a new database, and makes the hub's certificate.  -EINVAL: a name is not
 * one of a host, or they are none or too many. */
int identity_init(Db *db, const Authority *authority, const char *const names[], int64_t now_s,
		  Error *err);

/* Reads it, with a new certificate of the hub's if it is time for one.  -EBADMSG: the database has
 * none. */
int identity_load(Db *db, int64_t now_s, Identity *ret, Error *err);
