/* SPDX-License-Identifier: Apache-2.0 */
/* Making a release, and signing it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "release/content.h"
#include "release/depot.h"
#include "release/key.h"
#include "release/package.h"
#include "release/trust.h"

#define CREATE_CHANNEL    "main"
#define CREATE_CHUNK_SIZE ((int64_t)128 << 10)

typedef struct ReleasePlan {
	KernelSource kernel;
	const char *root;    /* a file; NULL: none */
	const char *cmdline; /* added to that of a node; NULL: nothing */
	const char *name;    /* NULL: made from kernel and version */
	const char *channel;
	int64_t version; /* 0: the next one */
	int64_t chunk_size;
	int64_t now_s, expires_s;
	const Trust *trust;
	PrivateKey *const *keys;
	size_t n_keys;
	bool dry_run; /* everything but to leave it there; `trust` may be NULL */
	const Progress *progress;
} ReleasePlan;

/* Makes a release in a locked depot.  -EEXIST: there is one of that name; -ESTALE: the version is
 * not higher than those before; -EPERM: a key is not a signer's; and whatever kernel_unpack()
 * returns.  On failure nothing of it is there. The caller frees the manifest. */
int release_create(Depot *depot, const ReleasePlan *plan, Manifest **ret, Error *err);

/* Adds a signature. */
int release_sign(const Release *release, const Trust *trust, const PrivateKey *key, Error *err);
