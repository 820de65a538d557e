/* SPDX-License-Identifier: Apache-2.0 */
/* Join tokens at the hub: who has one may become a node, as often as it says, until it expires.
 * Only the hash of the secret is stored. */
#pragma once

#include <json-c/json.h>

#include "hub/db.h"
#include "hub/join_token.h"

#define TOKEN_USES_MAX       100000
#define TOKEN_LIFETIME_S     ((int64_t)24 * 3600)
#define TOKEN_LIFETIME_MIN_S 60
#define TOKEN_LIFETIME_MAX_S ((int64_t)365 * 24 * 3600)
#define TOKEN_NOTE_MAX       200

typedef struct TokenText {
	char text[TOKEN_TEXT_MAX];
	char id[2 * TOKEN_ID_SIZE + 1];
} TokenText;

typedef struct TokenOffer {
	json_object *labels; /* NULL: none; what its nodes are labelled with */
	int64_t uses_max;    /* 1 or more */
	int64_t lifetime_s;
	const char *note;
} TokenOffer;

int token_make(Db *db, const TokenOffer *offer, const Digest *authority, int64_t now_s,
	       TokenText *ret, Error *err);

/* Uses it once, as a part of the transaction that is under way, and says which labels it gives (the
 * caller puts them).  -EINVAL: the text is no token; -EKEYREJECTED: it is not known, revoked,
 * expired or used up, and which. */
int token_use(Db *db, const char *text, int64_t now_s, json_object **ret_labels, Error *err);

/* -ENOENT: there is none that could still be used. */
int token_revoke(Db *db, const char *id, int64_t now_s, Error *err);

/* Those that can still be used, as the API tells them.  The caller puts the array. */
int token_list(Db *db, int64_t now_s, json_object **ret, Error *err);
