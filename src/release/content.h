/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a release: hashed when it is made, checked afterwards. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "release/manifest.h"

/* Told now and then how far long work is. */
typedef struct Progress {
	void (*tell)(const char *what, int64_t done, int64_t total, void *data);
	void *data;
} Progress;

/* NULL: nobody wants to know. */
void progress_tell(const Progress *progress, const char *what, int64_t done, int64_t total);

/* Fills in what a file in the directory `dirfd` holds, cut into chunks.  The caller frees `chunks`.
 */
int content_hash(int dirfd, const char *name, int64_t chunk_size, const Progress *progress,
		 ManifestFile *ret, Error *err);

/* -EBADMSG: the file is not what the manifest says; names the first chunk that differs. */
int content_check(int dirfd, const Manifest *manifest, const ManifestFile *file,
		  const Progress *progress, Error *err);

/* As content_check(), of a file that may change meanwhile: `name` in the directory `to` is made of
 * the very bytes that were checked, and is not there if it failed.  -EEXIST. */
int content_copy(int dirfd, const Manifest *manifest, const ManifestFile *file, int to,
		 const char *name, Error *err);

/* Reads up to `size` bytes at an offset, fewer only at the end of the file.  Returns how many. */
ssize_t content_read(int fd, void *buffer, size_t size, int64_t offset);
