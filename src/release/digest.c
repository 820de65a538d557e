/* SPDX-License-Identifier: Apache-2.0 */
#include "release/digest.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct DigestRun {
	gnutls_hash_hd_t hash; /* NULL once ended */
};

int digest_of(const void *data, size_t size, Digest *ret, Error *err)
{
	int e = gnutls_hash_fast(GNUTLS_DIG_SHA256, data, size, ret->bytes);

	return e < 0 ? error_set(err, -EIO, "Hashing: %s", gnutls_strerror(e)) : 0;
}

bool digest_equal(const Digest *a, const Digest *b)
{
	return memcmp(a->bytes, b->bytes, DIGEST_SIZE) == 0;
}

DigestText digest_text(const Digest *digest)
{
	static const char digits[] = "0123456789abcdef";
	DigestText result = {0};

	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		result.text[2 * i] = digits[digest->bytes[i] >> 4];
		result.text[2 * i + 1] = digits[digest->bytes[i] & 15];
	}
	return result;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool digest_parse(const char *text, Digest *ret)
{
	Digest digest;

	if (strlen(text) != (size_t)2 * DIGEST_SIZE)
		return false;
	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		int high = digit_value(text[2 * i]), low = digit_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		digest.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*ret = digest;
	return true;
}

int digest_run_new(DigestRun **ret, Error *err)
{
	DigestRun *run = calloc(1, sizeof(*run));
	int e;

	if (!run)
		return error_errno(err, -ENOMEM, "Hashing");
	e = gnutls_hash_init(&run->hash, GNUTLS_DIG_SHA256);
	if (e < 0) {
		free(run);
		return error_set(err, -EIO, "Hashing: %s", gnutls_strerror(e));
	}
	*ret = run;
	return 0;
}

int digest_run_add(DigestRun *run, const void *data, size_t size, Error *err)
{
	int e = gnutls_hash(run->hash, data, size);

	return e < 0 ? error_set(err, -EIO, "Hashing: %s", gnutls_strerror(e)) : 0;
}

void digest_run_end(DigestRun *run, Digest *ret)
{
	gnutls_hash_deinit(run->hash, ret->bytes);
	run->hash = NULL;
}

void digest_run_free(DigestRun *run)
{
	if (run && run->hash)
		gnutls_hash_deinit(run->hash, NULL);
	free(run);
}
