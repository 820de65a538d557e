/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A release that arrives chunk by chunk, in any order, from anyone.
 *
 * It is put together in the directory ".partial-RELEASE".  Nothing there is believed for being
 * there: whoever opens it anew has it all hashed again, so that a crash, a full disk or a file that
 * somebody changed costs the chunks that are not right, and no more.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "release/content.h"
#include "release/manifest.h"
#include "release/signature.h"

#define ASSEMBLY_PREFIX ".partial-"

typedef struct Assembly Assembly;

/* Begins or goes on in the directory `dirfd`, and takes the room on the disk for all of it;
 * -ENOSPC, -EFBIG: there is none, and what was there is as it was.  The manifest, which
 * release_judge() has passed, must live as long. */
int assembly_open(int dirfd, const Manifest *manifest, const Progress *progress, Assembly **ret,
		  Error *err);
void assembly_free(Assembly *assembly);

/* Writes a chunk of manifest->files[file], if it is that chunk.  -EBADMSG: it is not, and nothing
 * was written: leave who sent it.  One that is there already is no error. */
int assembly_put(Assembly *assembly, size_t file, size_t chunk, const void *data, size_t size,
		 Error *err);

bool assembly_has(const Assembly *assembly, size_t file, size_t chunk);

/* The first chunk that is missing; false: none is. */
bool assembly_missing(const Assembly *assembly, size_t *ret_file, size_t *ret_chunk);

/* Reads a chunk that is there, to be passed on; checked again, as disks err.  `buffer` has room for
 * manifest->chunk_size.  -ENOENT: it is not there. */
int assembly_get(Assembly *assembly, size_t file, size_t chunk, void *buffer, size_t *ret_size,
		 Error *err);

/* With all chunks there: adds the document as it was signed, checks the files whole, and makes it a
 * directory RELEASE of `dirfd`, complete and on the medium.  -EAGAIN: chunks are missing; -EEXIST;
 * -EBADMSG: a file is not what was signed though its chunks are. */
int assembly_finish(Assembly *assembly, const void *document, size_t size,
		    const Signatures *signatures, const Progress *progress, Error *err);

/* Removes what is there of a release that is not wanted any more. */
int assembly_discard(int dirfd, const char *release, Error *err);

static inline void cleanup_assembly(Assembly **assembly)
{
	assembly_free(*assembly);
}
#define _cleanup_assembly_ __attribute__((cleanup(cleanup_assembly)))
