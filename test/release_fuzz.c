/* SPDX-License-Identifier: Apache-2.0 */
#include "release_fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "release/manifest.h"
#include "release/trust.h"

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_refusal(int r, const Error *err)
{
	require(r < 0 && err->code == r && err->text[0]);
}

static void manifest_require(const Manifest *m)
{
	require(name_is_valid(m->name) && name_is_valid(m->kernel) && name_is_valid(m->channel));
	require(m->n_files >= 2 && m->n_files <= MANIFEST_FILES_MAX && m->version >= 1);
	for (size_t i = 0; i < m->n_files; i++) {
		const ManifestFile *file = &m->files[i];
		int64_t sum = 0;

		require(name_is_valid(file->name) && manifest_find(m, file->name) == file);
		for (size_t j = 0; j <= file->n_chunks; j++)
			sum += (int64_t)manifest_chunk_length(m, file, j);
		require(sum == file->size && sum > 0);
	}
}

/* What was read can be written, and read again as the same. */
void fuzz_manifest(const uint8_t *bytes, size_t size)
{
	_cleanup_manifest_ Manifest *m = NULL, *again = NULL;
	_cleanup_free_ char *text = NULL;
	size_t text_size;
	Error err = {0};
	int r = manifest_parse(bytes, size, &m, &err);

	if (r < 0) {
		require_refusal(r, &err);
		require(!m);
		return;
	}
	manifest_require(m);
	require(manifest_compose(m, &text, &text_size, NULL) == 0);
	require(manifest_parse(text, text_size, &again, NULL) == 0);
	require(!strcmp(m->name, again->name) && m->n_files == again->n_files);
}

void fuzz_trust(const uint8_t *bytes, size_t size)
{
	_cleanup_trust_ Trust *trust = NULL;
	_cleanup_free_ char *text = NULL;
	size_t text_size;
	Error err = {0};
	int r = trust_parse(bytes, size, &trust, &err);

	if (r < 0) {
		require_refusal(r, &err);
		require(!trust);
		return;
	}
	for (TrustRole role = 0; role < TRUST_ROLES; role++)
		require(trust->thresholds[role] >= 1 &&
			trust->thresholds[role] <= (int64_t)trust->n_keys);
	require(trust_compose(trust, &text, &text_size, NULL) == 0);
}

#ifdef FUZZ
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	FUZZ(bytes, size);
	return 0;
}
#endif
