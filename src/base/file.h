/* SPDX-License-Identifier: Apache-2.0 */
/* Files: whole-file reads, atomic writes, directories.  `dirfd` may be
 * AT_FDCWD wherever a path is taken. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/* Reads all of a file into a NUL-terminated buffer that the caller frees.
 * Works on files of /proc and /sys, whose size is not known beforehand.
 * -EFBIG if it is larger than 64 MiB. */
int file_read(int dirfd, const char *path, char **ret_text, size_t *ret_size, Error *err);

/* As file_read(), of a regular file of at most `max` bytes, for what may be anything: it waits for
 * no pipe, and -EFBIG comes after `max` bytes, even of a file without an end. */
int file_read_max(int dirfd, const char *path, size_t max, char **ret_text, size_t *ret_size,
		  Error *err);

/* As file_read(), without the trailing newline.  For one-value files. */
int file_read_line(int dirfd, const char *path, char **ret_text, Error *err);

/* Writes to an existing file (of /proc, /sys, or a control group) in one write(2). */
int file_write_value(int dirfd, const char *path, const char *value, Error *err);

/* Makes or replaces `path` with `size` bytes, mode `mode`: a reader sees the old
 * content or the new one, and after a return of 0 the new one is on the medium. */
int file_write_atomic(int dirfd, const char *path, const void *data, size_t size, mode_t mode,
		      Error *err);

/* As file_write_atomic(), but replaces nothing: -EEXIST. */
int file_write_new(int dirfd, const char *path, const void *data, size_t size, mode_t mode,
		   Error *err);

/* write(2) until everything is written. */
int file_write_all(int fd, const void *data, size_t size, Error *err);

/* mkdir -p; components that are made get `mode`. */
int directory_make(int dirfd, const char *path, mode_t mode, Error *err);

/* rm -rf; following no symbolic link, staying on one filesystem.  A path that is not there is no
 * error. */
int directory_remove(int dirfd, const char *path, Error *err);

bool path_exists(int dirfd, const char *path);

/* asprintf() that returns NULL on failure. */
char *text_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

bool text_has_prefix(const char *text, const char *prefix);
bool text_has_suffix(const char *text, const char *suffix);

/* Makes a '?' of each control character, so that a terminal shows the text and does not obey it. */
void text_make_plain(char *text);
