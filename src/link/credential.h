/* SPDX-License-Identifier: Apache-2.0 */
/* What a node shows to its hub: key and certificate, in files. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "link/config.h"
#include "link/paths.h"
#include "link/session.h"

/* Writes one of the files of the directory, atomically, for nobody else to read. */
int credential_store(const char *directory, const char *file, const char *text, Error *err);

/* A session with the hub, as this node if `known`.  -ENOENT, -EBADMSG: one of the files is missing
 * or damaged. */
int credential_session(const LinkConfig *node, const char *directory, bool known, Session **ret,
		       Error *err);

/* When the certificate began and ends, in seconds since 1970. */
int credential_validity(const char *directory, int64_t *ret_from_s, int64_t *ret_to_s, Error *err);

/* Gets the next certificate, for the same key.  The session still shows the one before. */
int credential_renew(Session *session, const LinkConfig *node, const char *directory, Error *err);
