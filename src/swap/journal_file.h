/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of a journal: JSON, sealed (base/sealed.h).  Beside it lies a copy of it as it was
 * before it was last written.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define JOURNAL_VERSION 1
#define JOURNAL_COPY    ".previous" /* what the copy's name ends with */

/* The caller frees the text.  -ENOMEM. */
int journal_encode(json_object *object, char **ret_text, size_t *ret_size, Error *err);

/* The caller puts the object, which has a known "state".  -EBADMSG: damaged; -EPROTONOSUPPORT:
 * undamaged, of a newer version. */
int journal_decode(const char *text, size_t size, json_object **ret, Error *err);

/* The journal at `path`; if what is there cannot be read or is damaged, its copy, and
 * `ret_damage` says why.  -EBADMSG: neither is good; -EPROTONOSUPPORT as above. */
int journal_file_load(const char *path, json_object **ret, Error *ret_damage, Error *err);

/* Replaces it; at every instant the file or its copy is whole.  `keep`: what the file holds now
 * becomes the copy. */
int journal_file_save(const char *path, json_object *object, bool keep, Error *err);
