/* SPDX-License-Identifier: Apache-2.0 */
#include "release/trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"

#define TRUST_KIND "trust"

static const char *const role_names[TRUST_ROLES] = {
	[TRUST_OWNERS] = "owners",
	[TRUST_SIGNERS] = "signers",
};

const char *trust_role_name(TrustRole role)
{
	return role_names[role];
}

void trust_free(Trust *trust)
{
	for (size_t i = 0; trust && i < trust->n_keys; i++)
		public_key_free(trust->keys[i].key);
	free(trust);
}

static TrustKey *key_find(Trust *trust, const Digest *id)
{
	for (size_t i = 0; i < trust->n_keys; i++)
		if (digest_equal(public_key_id(trust->keys[i].key), id))
			return &trust->keys[i];
	return NULL;
}

static int64_t role_size(const Trust *trust, TrustRole role)
{
	int64_t n = 0;

	for (size_t i = 0; i < trust->n_keys; i++)
		n += trust->keys[i].roles[role];
	return n;
}

/* ---- reading ---- */

static int key_parse(Trust *trust, json_object *o, Error *err)
{
	_cleanup_public_key_ PublicKey *key = NULL;
	TrustKey *k = &trust->keys[trust->n_keys];
	const char *pem;
	int r = document_get_name(o, "name", k->name, err);

	/* PEM has lines, so it is no plain string; its parser has limits of its own. */
	if (r < 0 || (r = json_get_string(o, "public", &pem, err)) < 0 ||
	    (r = public_key_parse(pem, strlen(pem), &key, err)) < 0)
		return r;
	if (key_find(trust, public_key_id(key)))
		return error_set(err, -EBADMSG, "Key \"%s\" is there twice", k->name);
	k->key = steal_ptr(&key);
	trust->n_keys++;
	return 0;
}

static int keys_parse(Trust *trust, json_object *o, Error *err)
{
	json_object *keys;
	int r = json_get_array(o, "keys", &keys, err);

	if (r < 0)
		return r;
	if (json_length(keys) > TRUST_KEYS_MAX)
		return error_set(err, -EBADMSG, "There are more than %d keys", TRUST_KEYS_MAX);
	for (size_t i = 0; i < json_length(keys); i++) {
		json_object *key = json_object_array_get_idx(keys, i);

		if (!json_object_is_type(key, json_type_object))
			return error_set(err, -EBADMSG, "A key is not an object");
		r = key_parse(trust, key, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int role_key_parse(Trust *trust, TrustRole role, json_object *o, Error *err)
{
	const char *text =
		json_object_is_type(o, json_type_string) ? json_object_get_string(o) : "";
	TrustKey *key;
	Digest id;

	if (!digest_parse(text, &id))
		return error_set(err, -EBADMSG, "\"%.80s\" is not the id of a key", text);
	key = key_find(trust, &id);
	if (!key)
		return error_set(err, -EBADMSG, "There is no key with the id %s", text);
	if (key->roles[role])
		return error_set(err, -EBADMSG, "Key \"%s\" is there twice", key->name);
	key->roles[role] = true;
	return 0;
}

static int role_parse(Trust *trust, TrustRole role, json_object *o, Error *err)
{
	json_object *object, *ids;
	int r;

	if ((r = json_get_object(o, role_names[role], &object, err)) < 0 ||
	    (r = json_get_array(object, "keys", &ids, err)) < 0)
		return r;
	for (size_t i = 0; i < json_length(ids); i++) {
		r = role_key_parse(trust, role, json_object_array_get_idx(ids, i), err);
		if (r < 0) {
			(void)error_prefix(err, "\"%s\"", role_names[role]);
			return r;
		}
	}
	r = document_get_number(object, "threshold", 1, role_size(trust, role),
				&trust->thresholds[role], err);
	if (r < 0)
		(void)error_prefix(err, "\"%s\"", role_names[role]);
	return r;
}

static int trust_read(Trust *trust, json_object *o, Error *err)
{
	int r;

	if ((r = document_get_number(o, "version", 1, DOCUMENT_NUMBER_MAX, &trust->version, err)) <
		    0 ||
	    (r = document_get_number(o, "epoch", 1, DOCUMENT_NUMBER_MAX, &trust->epoch, err)) < 0 ||
	    (r = document_get_time(o, "created", &trust->created_s, err)) < 0 ||
	    (r = document_get_time(o, "expires", &trust->expires_s, err)) < 0 ||
	    (r = keys_parse(trust, o, err)) < 0)
		return r;
	for (TrustRole role = 0; role < TRUST_ROLES; role++) {
		r = role_parse(trust, role, o, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int trust_parse(const void *bytes, size_t size, Trust **ret, Error *err)
{
	_cleanup_trust_ Trust *trust = calloc(1, sizeof(*trust));
	_cleanup_json_ json_object *o = NULL;
	int r;

	if (!trust)
		return error_errno(err, -ENOMEM, "Reading the trust");
	if ((r = document_parse(bytes, size, TRUST_MAX, TRUST_KIND, &o, err)) < 0 ||
	    (r = trust_read(trust, o, err)) < 0)
		return r;
	*ret = steal_ptr(&trust);
	return 0;
}

/* ---- writing ---- */

static json_object *role_compose(const Trust *trust, TrustRole role)
{
	json_object *object = json_object_new_object(), *ids = json_object_new_array();

	json_put_int(object, "threshold", trust->thresholds[role]);
	(void)json_object_object_add(object, "keys", ids);
	for (size_t i = 0; i < trust->n_keys; i++)
		if (trust->keys[i].roles[role])
			(void)json_object_array_add(
				ids, json_object_new_string(
					     digest_text(public_key_id(trust->keys[i].key)).text));
	return object;
}

int trust_compose(const Trust *trust, char **ret_text, size_t *ret_size, Error *err)
{
	_cleanup_json_ json_object *o = document_new(TRUST_KIND);
	json_object *keys = json_object_new_array();
	_cleanup_trust_ Trust *back = NULL;
	_cleanup_free_ char *text = NULL;
	Error mistake = {0};
	size_t size;
	int r;

	json_put_int(o, "version", trust->version);
	json_put_int(o, "epoch", trust->epoch);
	json_put_string(o, "created", time_text(trust->created_s).text);
	json_put_string(o, "expires", time_text(trust->expires_s).text);
	for (TrustRole role = 0; role < TRUST_ROLES; role++)
		(void)json_object_object_add(o, role_names[role], role_compose(trust, role));
	(void)json_object_object_add(o, "keys", keys);
	for (size_t i = 0; i < trust->n_keys; i++) {
		json_object *key = json_object_new_object();

		json_put_string(key, "name", trust->keys[i].name);
		json_put_string(key, "public", public_key_pem(trust->keys[i].key));
		(void)json_object_array_add(keys, key);
	}
	r = document_text(o, &text, &size, err);
	if (r < 0)
		return r;
	/* What nobody could read must not be signed; this also finds what had no memory. */
	if (trust_parse(text, size, &back, &mistake) < 0)
		return error_set(err, -EINVAL, "%s", mistake.text);
	*ret_text = steal_ptr(&text);
	*ret_size = size;
	return 0;
}

/* ---- judging ---- */

static bool key_has_signed(const PublicKey *key, const void *bytes, size_t size,
			   const Signatures *signatures)
{
	for (size_t i = 0; i < signatures->n; i++)
		if (digest_equal(&signatures->items[i].key, public_key_id(key)) &&
		    public_key_verify(key, bytes, size, &signatures->items[i], NULL) == 0)
			return true;
	return false;
}

int64_t trust_count(const Trust *trust, TrustRole role, const void *bytes, size_t size,
		    const Signatures *signatures)
{
	int64_t n = 0;

	/* By key and not by signature: none counts twice. */
	for (size_t i = 0; i < trust->n_keys; i++)
		n += trust->keys[i].roles[role] &&
		     key_has_signed(trust->keys[i].key, bytes, size, signatures);
	return n;
}

int trust_check_quorum(const Trust *trust, TrustRole role, const void *bytes, size_t size,
		       const Signatures *signatures, Error *err)
{
	int64_t n = trust_count(trust, role, bytes, size, signatures);

	if (n < trust->thresholds[role])
		return error_set(err, -EKEYREJECTED,
				 "%lld of the %lld signatures that are needed fit (of %s, trust "
				 "version %lld)",
				 (long long)n, (long long)trust->thresholds[role], role_names[role],
				 (long long)trust->version);
	return 0;
}

int trust_check_order(const Trust *current, const Trust *trust, Error *err)
{
	if (trust->version != current->version + 1)
		return error_set(err, -ESTALE, "Trust version %lld does not follow version %lld",
				 (long long)trust->version, (long long)current->version);
	if (trust->epoch < current->epoch || trust->epoch > current->epoch + 1)
		return error_set(err, -ESTALE, "Epoch %lld does not follow epoch %lld",
				 (long long)trust->epoch, (long long)current->epoch);
	return 0;
}

int trust_begin(const void *bytes, size_t size, const Signatures *signatures, Trust **ret,
		Error *err)
{
	_cleanup_trust_ Trust *trust = NULL;
	int r = trust_parse(bytes, size, &trust, err);

	if (r < 0)
		return r;
	if (trust->version != 1)
		return error_set(err, -ESTALE, "Trust version %lld is not the first",
				 (long long)trust->version);
	r = trust_check_quorum(trust, TRUST_OWNERS, bytes, size, signatures, err);
	if (r == 0)
		*ret = steal_ptr(&trust);
	return r;
}

int trust_succeed(const Trust *current, const void *bytes, size_t size,
		  const Signatures *signatures, Trust **ret, Error *err)
{
	_cleanup_trust_ Trust *trust = NULL;
	int r;

	if (size > TRUST_MAX)
		return error_set(err, -EFBIG, "%zu bytes; at most %zu are read", size, TRUST_MAX);
	/* The signatures first: what no owner has signed does not reach the parser. */
	if ((r = trust_check_quorum(current, TRUST_OWNERS, bytes, size, signatures, err)) < 0 ||
	    (r = trust_parse(bytes, size, &trust, err)) < 0 ||
	    (r = trust_check_order(current, trust, err)) < 0 ||
	    (r = trust_check_quorum(trust, TRUST_OWNERS, bytes, size, signatures, err)) < 0)
		return r;
	*ret = steal_ptr(&trust);
	return 0;
}
