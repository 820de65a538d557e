/* SPDX-License-Identifier: Apache-2.0 */
/* What is signed of a release: from the hub, judged here, kept where the relay finds it. */
#pragma once

#include "link/session.h"
#include "release/manifest.h"

typedef struct DocumentPlace {
	const char *directory; /* of the link */
	const char *trust;     /* directory with "trust", as in a depot */
} DocumentPlace;

/* Gets it and writes it down.  -EHOSTUNREACH, -EPROTO, -EINTR: the hub did not answer; others: see
 * release_judge(); -ENOENT: this node trusts nobody yet, or the hub has no such release. */
int document_fetch(const DocumentPlace *place, Session *session, const char *release,
		   Manifest **ret, Error *err);

/* The release is here, and is remembered before it is used. */
int document_remember(const DocumentPlace *place, const Manifest *manifest, Error *err);

/* Directory of the document; the caller frees it.  NULL: no memory. */
char *document_path(const DocumentPlace *place, const char *release);
