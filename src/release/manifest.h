/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a release is: release.json of segue-release(5).  All of it in one signed document, so that
 * files of two releases cannot be mixed.
 *
 * Invariant of a Manifest: names are valid and differ; a file has as many chunks as its size asks
 * for, all but its last of `chunk_size`.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "release/digest.h"
#include "release/document.h"

#define MANIFEST_FILE        "release.json"
#define MANIFEST_MAX         ((size_t)8 << 20)
#define MANIFEST_FILES_MAX   16
#define MANIFEST_CMDLINE_MAX 2047 /* COMMAND_LINE_SIZE of x86, arch/x86/include/asm/setup.h */
#define MANIFEST_CHUNK_MIN   ((int64_t)16 << 10)
#define MANIFEST_CHUNK_MAX   ((int64_t)4 << 20)

/* The names of what is in a release. */
#define RELEASE_KERNEL  "vmlinuz"
#define RELEASE_MODULES "modules.tar.zst" /* paths below /usr/lib/modules/KERNEL */
#define RELEASE_CONFIG  "config"
#define RELEASE_ROOT    "root.img"

typedef struct ManifestFile {
	char name[DOCUMENT_NAME_MAX + 1];
	int64_t size; /* 1 or more */
	Digest digest;
	Digest *chunks; /* owned */
	size_t n_chunks;
} ManifestFile;

typedef struct Manifest {
	char name[DOCUMENT_NAME_MAX + 1];
	char channel[DOCUMENT_NAME_MAX + 1];
	char kernel[DOCUMENT_NAME_MAX + 1]; /* as uname -r says it */
	char *cmdline;                      /* owned; added to that of a node; NULL: nothing */
	int64_t version, epoch;             /* see Trust */
	int64_t created_s, expires_s;
	int64_t chunk_size;
	ManifestFile files[MANIFEST_FILES_MAX];
	size_t n_files;
	Digest digest; /* of the document's bytes */
} Manifest;

/* Bytes whose signatures are another's matter: see release_judge().  -EFBIG, -EBADMSG. */
int manifest_parse(const void *bytes, size_t size, Manifest **ret, Error *err);
void manifest_free(Manifest *manifest);

/* The document for it; `digest` is not looked at.  The caller frees it.  -EINVAL: the invariant
 * does not hold; -EFBIG: there are too many chunks. */
int manifest_compose(const Manifest *manifest, char **ret_text, size_t *ret_size, Error *err);

/* NULL: there is none. */
const ManifestFile *manifest_find(const Manifest *manifest, const char *name);
int64_t manifest_size(const Manifest *manifest); /* of all files */

int64_t manifest_chunk_count(int64_t size, int64_t chunk_size);

/* Bytes of a chunk; 0 if there is none of that number. */
size_t manifest_chunk_length(const Manifest *manifest, const ManifestFile *file, size_t chunk);

/* -EBADMSG: these bytes are not that chunk. */
int manifest_check_chunk(const Manifest *manifest, const ManifestFile *file, size_t chunk,
			 const void *data, size_t size, Error *err);

static inline void cleanup_manifest(Manifest **manifest)
{
	manifest_free(*manifest);
}
#define _cleanup_manifest_ __attribute__((cleanup(cleanup_manifest)))
