/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define DIGEST_SIZE 32

typedef struct Digest {
	uint8_t bytes[DIGEST_SIZE];
} Digest;

typedef struct DigestText {
	char text[2 * DIGEST_SIZE + 1];
} DigestText;

int digest_of(const void *data, size_t size, Digest *ret, Error *err);
bool digest_equal(const Digest *a, const Digest *b);

/* Lower-case hexadecimal digits, as sha256sum(1) prints them; the only form that is read. */
DigestText digest_text(const Digest *digest);
bool digest_parse(const char *text, Digest *ret);

/* The digest of what is fed piece by piece. */
typedef struct DigestRun DigestRun;

int digest_run_new(DigestRun **ret, Error *err);
int digest_run_add(DigestRun *run, const void *data, size_t size, Error *err);
/* Of all that was added; after it nothing may be. */
void digest_run_end(DigestRun *run, Digest *ret);
void digest_run_free(DigestRun *run);
static inline void cleanup_digest_run(DigestRun **run)
{
	digest_run_free(*run);
}
#define _cleanup_digest_run_ __attribute__((cleanup(cleanup_digest_run)))
