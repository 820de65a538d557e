/* SPDX-License-Identifier: Apache-2.0 */
/* The detached signatures of one document: files "KEY-ID.sig" of its directory "signatures". */
#pragma once

#include "base/error.h"
#include "release/key.h"

#define SIGNATURES_DIR "signatures"
#define SIGNATURES_MAX 32

typedef struct Signatures {
	Signature items[SIGNATURES_MAX];
	size_t n;
} Signatures;

/* Adds one, of `key`; replaces one that there is by the same key.  -EFBIG: it is too large, or they
 * are too many. */
int signatures_add(Signatures *signatures, const Digest *key, const void *bytes, size_t size,
		   Error *err);

/* Reads those of the document in the directory `dirfd`; none are no error. */
int signatures_read(int dirfd, Signatures *ret, Error *err);

int signature_write(int dirfd, const Signature *signature, Error *err);
