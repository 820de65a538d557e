/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that count for nothing any more, though they have not expired: a file with a serial
 * number a line, in hexadecimal, which the hub has told.  It may change at any time. */
#pragma once

#include <gnutls/gnutls.h>
#include <json-c/json.h>

#include "base/error.h"

#define REVOKED_MAX ((size_t)4 << 20) /* bytes of the file */

/* Writes the file: of an array of texts. */
int revoked_write(const char *path, json_object *serials, Error *err);

/* -EKEYREJECTED: it is one of these; others: that cannot be told.  A file that is not there has
 * none in it. */
int revoked_check(const char *path, const gnutls_datum_t *certificate, Error *err);
