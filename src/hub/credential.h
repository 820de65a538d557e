/* SPDX-License-Identifier: Apache-2.0 */
/* Which certificates count: those whose serial is here, and not revoked. */
#pragma once

#include <json-c/json.h>

#include "hub/authority.h"
#include "hub/db.h"

typedef enum CallerRole {
	CALLER_ANYONE,
	CALLER_NODE,
	CALLER_OPERATOR,
} CallerRole;

typedef struct Caller {
	CallerRole role;
	int64_t node; /* id, of a node */
	char name[DOCUMENT_NAME_MAX + 1];
	int64_t expires_s; /* of the certificate; INT64_MAX: there is none */
} Caller;

/* Enters one that was issued, for a node or, if that is 0, an operator. */
int credential_add(Db *db, const Serial *serial, int64_t node, const char *holder,
		   int64_t expires_s, Error *err);

/* Whose it is; the time is not looked at.  -EKEYREJECTED: it is revoked, or not known. */
int credential_find(Db *db, const Serial *serial, Caller *ret, Error *err);

/* -EKEYREJECTED: it has expired; what to do depends on whether it may still be renewed. */
int credential_check_time(const Caller *caller, int64_t now_s, bool renewing, Error *err);

/* All those of a node, or of an operator.  *ret_n: how many there were. */
int credential_revoke_node(Db *db, int64_t node, int64_t now_s, Error *err);
int credential_revoke_operator(Db *db, const char *name, int64_t now_s, int *ret_n, Error *err);

/* As the API tells them; the caller puts the array. */
int credential_revocations(Db *db, int64_t now_s, json_object **ret, Error *err);
int credential_operators(Db *db, int64_t now_s, json_object **ret, Error *err);

/* Forgets those that count for nothing any more. */
int credential_prune(Db *db, int64_t now_s, Error *err);
