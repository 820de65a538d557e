/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may sign: trust.json of segue-release(5).  After the root and targets roles of The Update
 * Framework (TUF specification, 5.3 and 5.6).
 *
 * Invariant of a Trust: each role has a threshold from 1 to the number of its keys, and no key
 * counts twice.  Nothing here does I/O or knows what time it is.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "release/document.h"
#include "release/key.h"
#include "release/signature.h"

#define TRUST_MAX      ((size_t)256 << 10)
#define TRUST_KEYS_MAX 32

typedef enum TrustRole {
	TRUST_OWNERS,  /* may say who is trusted from now on */
	TRUST_SIGNERS, /* may sign releases */
	TRUST_ROLES,
} TrustRole;

typedef struct TrustKey {
	char name[DOCUMENT_NAME_MAX + 1]; /* for people */
	PublicKey *key;                   /* owned */
	bool roles[TRUST_ROLES];
} TrustKey;

typedef struct Trust {
	int64_t version; /* from 1 on, without a gap */
	/* Releases count only if they are of the same epoch.  Raising it makes all releases before
	 * void, however high their versions are, and versions begin again: the way back from a
	 * version that a thief or a mistake has made too high (fast-forward). */
	int64_t epoch;
	int64_t created_s, expires_s;
	int64_t thresholds[TRUST_ROLES];
	TrustKey keys[TRUST_KEYS_MAX];
	size_t n_keys;
} Trust;

const char *trust_role_name(TrustRole role); /* "owners" */

/* A document whose signatures nobody has looked at: one's own, or one that is pinned. -EFBIG,
 * -EBADMSG. */
int trust_parse(const void *bytes, size_t size, Trust **ret, Error *err);
void trust_free(Trust *trust);

/* The text of a document.  The caller frees it.  -EINVAL: the invariant does not hold. */
int trust_compose(const Trust *trust, char **ret_text, size_t *ret_size, Error *err);

/* How many keys of a role have signed these bytes: each once, whatever is in `signatures`. */
int64_t trust_count(const Trust *trust, TrustRole role, const void *bytes, size_t size,
		    const Signatures *signatures);

/* -EKEYREJECTED: fewer of the role's keys have signed than its threshold; says how many. */
int trust_check_quorum(const Trust *trust, TrustRole role, const void *bytes, size_t size,
		       const Signatures *signatures, Error *err);

/* The first document of a chain, signed by the owners that it names itself. */
int trust_begin(const void *bytes, size_t size, const Signatures *signatures, Trust **ret,
		Error *err);

/* The document after `current`: signed by the owners of both, so that those before agree and those
 * after have their keys.  -ESTALE: it is not the next one. */
int trust_succeed(const Trust *current, const void *bytes, size_t size,
		  const Signatures *signatures, Trust **ret, Error *err);

/* Whether `trust` may follow `current`, the signatures aside. */
int trust_check_order(const Trust *current, const Trust *trust, Error *err);

static inline void cleanup_trust(Trust **trust)
{
	trust_free(*trust);
}
#define _cleanup_trust_ __attribute__((cleanup(cleanup_trust)))
