/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory where an owner, or a hub, has releases; segue-release(5) shows what is in it.
 *
 * A release is there whole or not at all: it is made in a directory whose name begins with a dot,
 * and renamed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "release/manifest.h"
#include "release/signature.h"

#define DEPOT_KEYS     "keys"
#define DEPOT_RELEASES "releases"
#define DEPOT_TRUST    "trust"

typedef struct Depot {
	char *path;
	int fd;
	int releases_fd;
	int lock_fd; /* -1: not locked */
} Depot;

/* NULL: $XDG_DATA_HOME/segue, or ~/.local/share/segue.  What is missing is made if `make`; else
 * -ENOENT. */
int depot_open(const char *path, bool make, Depot **ret, Error *err);
void depot_free(Depot *depot);

/* For whatever changes it, until it is freed; then removes what a killed process left behind.
 * -EBUSY: another has it. */
int depot_lock(Depot *depot, Error *err);

/* The path of a key: "NAME" + suffix is in the depot, what has a slash is a path as it stands.  The
 * caller frees it.  -EINVAL: not a name. */
int depot_key_path(const Depot *depot, const char *name, const char *suffix, char **ret,
		   Error *err);

/* Names of the releases, sorted; ends with NULL, depot_names_free() frees it. */
int depot_names(const Depot *depot, char ***ret_names, size_t *ret_n, Error *err);
void depot_names_free(char **names);

/* Removes a release.  -ENOENT. */
int depot_remove(Depot *depot, const char *name, Error *err);

/* A release as it is stored.  Nobody has judged it. */
typedef struct Release {
	int dir;
	char *bytes; /* of its document */
	size_t size;
	Signatures signatures;
	Manifest *manifest;
} Release;

/* -ENOENT; -EBADMSG: it is damaged. */
int release_open(const Depot *depot, const char *name, Release **ret, Error *err);
/* The same of a document and its signatures in any directory, whose files may be missing. */
int release_open_at(int dirfd, Release **ret, Error *err);
void release_free(Release *release);

static inline void cleanup_depot(Depot **depot)
{
	depot_free(*depot);
}
static inline void cleanup_release(Release **release)
{
	release_free(*release);
}
#define _cleanup_depot_   __attribute__((cleanup(cleanup_depot)))
#define _cleanup_release_ __attribute__((cleanup(cleanup_release)))
