/* SPDX-License-Identifier: Apache-2.0 */
/* The releases that the hub serves: where each of their chunks lies, and how releases come in.
 *
 * The hub looks whether a release is whole, not who signed it: it could be stolen, so nodes judge.
 */
#pragma once

#include <json-c/json.h>

#include "release/depot.h"

typedef struct Catalog Catalog;

/* `depot` is locked, and lives as long.  A release that cannot be read is left out. */
int catalog_open(Depot *depot, Catalog **ret, Error *err);
void catalog_free(Catalog *catalog);

/* Another process may have changed the depot: looks again if it has. */
int catalog_refresh(Catalog *catalog, Error *err);

size_t catalog_count(const Catalog *catalog); /* of releases */

/* As the API tells them; the caller puts the object.  -ENOENT. */
int catalog_list(const Catalog *catalog, json_object **ret, Error *err);
int catalog_describe(const Catalog *catalog, const char *release, json_object **ret, Error *err);

/* Bytes to be read from a file. */
typedef struct CatalogPiece {
	int fd; /* the caller closes it */
	uint64_t offset, size;
} CatalogPiece;

/* -ENOENT. */
int catalog_chunk(const Catalog *catalog, const Digest *digest, CatalogPiece *ret, Error *err);
int catalog_file(const Catalog *catalog, const char *release, const char *file, CatalogPiece *ret,
		 Error *err);
/* By key id, in base64.  The caller puts the object. */
int catalog_signatures(const Catalog *catalog, const char *release, json_object **ret, Error *err);

/* A file that the bytes of one of a release's go to, and how many they may be.  MANIFEST_FILE comes
 * first and begins anew.  -ENOENT: there is no such file in it; -EEXIST: the release is there. */
int catalog_receive(Catalog *catalog, const char *release, const char *file, int *ret_fd,
		    size_t *ret_max, Error *err);
int catalog_receive_signature(Catalog *catalog, const char *release, const char *key, int *ret_fd,
			      size_t *ret_max, Error *err);

/* It is all there: looks at every byte, and takes it in.  -EBADMSG. */
int catalog_finish(Catalog *catalog, const char *release, Error *err);

/* Also of what was only sent in part.  -ENOENT. */
int catalog_remove(Catalog *catalog, const char *release, Error *err);
