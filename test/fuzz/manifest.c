/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest of a release: what was read can be written, and read again as the same. */
#include "release/manifest.h"

#include <string.h>

#include "fuzz.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_manifest_ Manifest *m = NULL, *again = NULL;
	_cleanup_free_ char *text = NULL;
	size_t text_size;
	Error err = {0};
	int r = manifest_parse(bytes, size, &m, &err);

	if (r < 0) {
		require_refusal(r, &err);
		require(!m);
		return 0;
	}
	manifest_require(m);
	require(manifest_compose(m, &text, &text_size, NULL) == 0);
	require(manifest_parse(text, text_size, &again, NULL) == 0);
	require(!strcmp(m->name, again->name) && m->n_files == again->n_files);
	return 0;
}
