/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents of trust in a depot, from the first on: "trust/1", "trust/2", ...  Each is signed
 * by the owners of the one before, so that a node that knows any of them can follow to the last.
 */
#pragma once

#include "base/error.h"
#include "release/depot.h"
#include "release/key.h"
#include "release/trust.h"

#define CHAIN_FILE "trust.json"

typedef struct Chain {
	Trust *current; /* NULL: there is none yet */
	Trust *next;    /* waits for signatures; NULL: none does */
} Chain;

/* -EBADMSG, -EKEYREJECTED: it is broken, and names the document. */
int chain_read(const Depot *depot, Chain *ret, Error *err);
void chain_release(Chain *chain);

/* The trust that counts.  -ENOENT: there is none, and what to do. */
int chain_current(const Depot *depot, Trust **ret, Error *err);

/* The same on a machine that takes releases: the directory `path` has "trust", and need have
 * nothing else of a depot. */
int chain_trusted(const char *path, Trust **ret, Error *err);

/* The bytes and signatures of a document.  The caller frees the bytes. */
int chain_document(const Depot *depot, int64_t version, char **ret_bytes, size_t *ret_size,
		   Signatures *ret_signatures, Error *err);

/* Adds the document for `next`, with the signatures of these keys; others can be added later. The
 * depot is locked.  -EEXIST: there is one of that version. */
int chain_add(Depot *depot, const Trust *next, PrivateKey *const keys[], size_t n_keys, Error *err);

/* Adds a signature to the document that waits for some.  -ENOENT: none does; -EPERM: the key is not
 * an owner's, neither of the one before nor of this. */
int chain_sign(Depot *depot, const Chain *chain, const PrivateKey *key, Error *err);

#define _cleanup_chain_ __attribute__((cleanup(chain_release)))
