/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/token.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "release/document.h"

#define MAKE_A_NEW "; segue hub token makes a new one"

static void hex_write(const uint8_t *bytes, size_t size, char *ret)
{
	for (size_t i = 0; i < size; i++)
		(void)sprintf(ret + 2 * i, "%02x", bytes[i]);
}

int token_make(Db *db, const TokenOffer *offer, const Digest *authority, int64_t now_s,
	       TokenText *ret, Error *err)
{
	uint8_t id[TOKEN_ID_SIZE], secret[TOKEN_SECRET_SIZE];
	char secret_text[2 * TOKEN_SECRET_SIZE + 1];
	const char *labels = offer->labels ? json_object_to_json_string_ext(offer->labels,
									    JSON_C_TO_STRING_PLAIN)
					   : "{}";
	TokenText token = {0};
	Digest hash;
	int r;

	if (gnutls_rnd(GNUTLS_RND_NONCE, id, sizeof(id)) < 0 ||
	    gnutls_rnd(GNUTLS_RND_KEY, secret, sizeof(secret)) < 0)
		return error_set(err, -EIO, "Making a token: there is no randomness");
	hex_write(id, sizeof(id), token.id);
	hex_write(secret, sizeof(secret), secret_text);
	(void)snprintf(token.text, sizeof(token.text), TOKEN_PREFIX ".%s.%s.%s", token.id,
		       secret_text, digest_text(authority).text);
	if ((r = digest_of(secret, sizeof(secret), &hash, err)) < 0 ||
	    (r = db_run(db, NULL, err,
			"INSERT INTO tokens (id, hash, labels, note, uses_max, created_s, "
			"expires_s) VALUES (?, ?, ?, ?, ?, ?, ?)",
			"tbttiii", token.id, hash.bytes, (size_t)DIGEST_SIZE, labels,
			offer->note ? offer->note : "", offer->uses_max, now_s,
			now_s + offer->lifetime_s)) < 0)
		return r;
	*ret = token;
	return 0;
}

/* What stands against a token whose row is there; 0 if nothing does. */
static int token_judge(sqlite3_stmt *row, const TokenParts *token, int64_t now_s, Error *err)
{
	const void *hash = sqlite3_column_blob(row, 0);
	int64_t uses = sqlite3_column_int64(row, 2), uses_max = sqlite3_column_int64(row, 3);
	int64_t expires_s = sqlite3_column_int64(row, 4);
	Digest own;
	int r = digest_of(token->secret, sizeof(token->secret), &own, err);

	if (r < 0)
		return r;
	if (!hash || sqlite3_column_bytes(row, 0) != DIGEST_SIZE ||
	    gnutls_memcmp(hash, own.bytes, DIGEST_SIZE) != 0)
		return error_set(err, -EKEYREJECTED, "The join token is not known here" MAKE_A_NEW);
	if (sqlite3_column_type(row, 5) != SQLITE_NULL)
		return error_set(err, -EKEYREJECTED, "The join token %s was revoked" MAKE_A_NEW,
				 token->id);
	if (now_s >= expires_s)
		return error_set(err, -EKEYREJECTED, "The join token %s expired on %s" MAKE_A_NEW,
				 token->id, time_text(expires_s).text);
	if (uses >= uses_max)
		return error_set(
			err, -EKEYREJECTED,
			"The join token %s was used already, %lld of %lld times" MAKE_A_NEW,
			token->id, (long long)uses, (long long)uses_max);
	return 0;
}

int token_use(Db *db, const char *text, int64_t now_s, json_object **ret_labels, Error *err)
{
	_cleanup_json_ json_object *labels = NULL;
	sqlite3_stmt *row;
	TokenParts token;
	int r = token_parse(text, &token, err);

	if (r < 0)
		return r;
	if ((r = db_query(db, &row, err,
			  "SELECT hash, labels, uses, uses_max, expires_s, revoked_s FROM tokens "
			  "WHERE id = ?",
			  "t", token.id)) < 0 ||
	    (r = db_step(db, row, err)) < 0)
		return r;
	if (r == 0)
		return error_set(err, -EKEYREJECTED, "The join token is not known here" MAKE_A_NEW);
	r = token_judge(row, &token, now_s, err);
	if (r == 0)
		labels = json_tokener_parse(db_text(row, 1));
	(void)sqlite3_reset(row);
	if (r == 0)
		r = db_run(db, NULL, err, "UPDATE tokens SET uses = uses + 1 WHERE id = ?", "t",
			   token.id);
	if (r < 0)
		return r;
	*ret_labels = labels ? steal_ptr(&labels) : json_object_new_object();
	return 0;
}

int token_revoke(Db *db, const char *id, int64_t now_s, Error *err)
{
	int changed = 0;
	int r = db_run(db, &changed, err,
		       "UPDATE tokens SET revoked_s = ? WHERE id = ? AND revoked_s IS NULL AND "
		       "uses < uses_max",
		       "it", now_s, id);

	if (r < 0)
		return r;
	return changed ? 0
		       : error_set(
				 err, -ENOENT,
				 "There is no token %.64s that can still be used; segue hub token "
				 "--list shows those",
				 id);
}

int token_list(Db *db, int64_t now_s, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *list = json_object_new_array();
	sqlite3_stmt *row;
	int r = db_query(
		db, &row, err,
		"SELECT id, labels, uses, uses_max, created_s, expires_s, note FROM tokens "
		"WHERE revoked_s IS NULL AND uses < uses_max AND expires_s > ? ORDER BY "
		"created_s, id",
		"i", now_s);

	while (r >= 0 && (r = db_step(db, row, err)) > 0) {
		json_object *o = json_object_new_object();

		json_put_string(o, "id", db_text(row, 0));
		(void)json_object_object_add(o, "labels", json_tokener_parse(db_text(row, 1)));
		json_put_int(o, "uses", sqlite3_column_int64(row, 2));
		json_put_int(o, "uses_max", sqlite3_column_int64(row, 3));
		json_put_int(o, "created_s", sqlite3_column_int64(row, 4));
		json_put_int(o, "expires_s", sqlite3_column_int64(row, 5));
		json_put_string(o, "note", db_text(row, 6));
		(void)json_object_array_add(list, o);
	}
	if (r < 0)
		return r;
	*ret = steal_ptr(&list);
	return 0;
}
