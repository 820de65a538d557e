/* SPDX-License-Identifier: Apache-2.0 */
/* A stored release, told to its owner. */
#pragma once

#include <json-c/json.h>

#include "release/depot.h"
#include "release/trust.h"

/* What release_judge() says of it now, in a few words: "valid", "expired", "1 of 2 signatures". */
typedef struct StoredState {
	char text[80];
} StoredState;

/* Trust: NULL if there is none. */
StoredState stored_state(const Release *release, const Trust *trust, int64_t now_s);

/* For --json; without the digests of chunks. */
json_object *stored_json(const Manifest *manifest, const char *state);

/* The trust of a depot; NULL if nobody is trusted yet. */
int stored_trust(const Depot *depot, Trust **ret, Error *err);
