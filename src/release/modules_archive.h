/* SPDX-License-Identifier: Apache-2.0 */
/* The modules of a kernel in one file: a tar archive, packed with zstd, of regular files only, with
 * paths below /usr/lib/modules/VERSION.  Written here and unpacked here. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct ModulesArchive ModulesArchive;

/* True for a path that stays below the directory that it is taken from: not absolute, no "..", no
 * empty part but at its end. */
bool path_is_inside(const char *path);

int modules_archive_new(int dirfd, const char *name, ModulesArchive **ret, Error *err);

/* One file: begin, `size` bytes in any number of pieces, end.  -EBADMSG: there is one of that path,
 * or it had fewer or more bytes. */
int modules_archive_begin(ModulesArchive *archive, const char *path, int64_t size, Error *err);
int modules_archive_add(ModulesArchive *archive, const void *data, size_t size, Error *err);
int modules_archive_end(ModulesArchive *archive, Error *err);

/* Completes the file, down to the medium. */
int modules_archive_close(ModulesArchive *archive, Error *err);
void modules_archive_free(ModulesArchive *archive);

/* Unpacks into the directory `to`, which should be empty.  -EBADMSG: the archive is damaged, or has
 * something other than files in it, or a path that leads elsewhere; -EFBIG: it has more in it than
 * any kernel.  What was unpacked until then is there. */
int modules_archive_unpack(int dirfd, const char *name, int to, Error *err);
