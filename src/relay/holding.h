/* SPDX-License-Identifier: Apache-2.0 */
/* What is here of a release: all of it, or what has come so far. */
#pragma once

#include <stdbool.h>

#include "relay/blob.h"
#include "release/assembly.h"
#include "release/depot.h"

typedef struct Holding Holding;

/* A release of the depot that is complete. */
int holding_open(const Depot *depot, const char *name, Holding **ret, Error *err);

/* One that is to come: its document and signatures, which release_judge() has passed, are in the
 * directory `document`.  Goes on with what is on the disk, and copies what other releases of the
 * depot have of it.  -ENOSPC, -EFBIG, -EDQUOT: no room. */
int holding_begin(const Depot *depot, int document, Holding **ret, Error *err);
void holding_free(Holding *holding);

const Manifest *holding_manifest(const Holding *holding);

/* Chunks are numbered through all files. */
size_t holding_chunks(const Holding *holding);
size_t holding_missing(const Holding *holding);
bool holding_has(const Holding *holding, size_t chunk);
FrameChunk holding_name(const Holding *holding, size_t chunk);
/* False: the release has no such chunk. */
bool holding_number(const Holding *holding, FrameChunk name, size_t *ret_chunk);

/* A data frame that arrived, of a release that is to come; `blob` holds it.  -EBADMSG: it is not
 * what was signed. */
int holding_put(Holding *holding, const Frame *frame, Blob *blob, Error *err);

/* The data frame of a chunk that is here.  The caller unrefs it.  -EBADMSG: the disk has made
 * something else of it. */
int holding_get(Holding *holding, size_t chunk, Blob **ret, Error *err);

/* Nothing is missing: checks the files whole, and makes it a release of the depot.  Takes as long
 * as reading them; may be called in another process. */
int holding_finish(Holding *holding, Error *err);

static inline void cleanup_holding(Holding **holding)
{
	holding_free(*holding);
}
#define _cleanup_holding_ __attribute__((cleanup(cleanup_holding)))
