/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "hub/host.h"

void identity_release(Identity *identity)
{
	authority_free(identity->authority);
	free(identity->certificate);
	if (identity->key)
		explicit_bzero(identity->key, strlen(identity->key));
	free(identity->key);
	for (size_t i = 0; identity->names[i]; i++)
		free(identity->names[i]);
	*identity = (Identity){0};
}

static int hub_certify(const Authority *authority, const char *const names[], int64_t now_s,
		       char **ret_key, Certificate *ret, Error *err)
{
	_cleanup_free_ char *csr = NULL, *key = NULL;
	CertificateRequest request = {
		.use = CERTIFICATE_HUB,
		.name = "segue-hub",
		.host_names = names,
		.lifetime_s = AUTHORITY_HUB_S,
	};
	int r = key_request_make(request.name, &key, &csr, err);

	if (r < 0)
		return r;
	request.csr = csr;
	r = authority_issue(authority, &request, now_s, ret, err);
	if (r == 0)
		*ret_key = steal_ptr(&key);
	return r;
}

int identity_init(Db *db, const Authority *authority, const char *const names[], int64_t now_s,
		  Error *err)
{
	_cleanup_json_ json_object *list = json_object_new_array();
	_cleanup_certificate_ Certificate certificate = {0};
	_cleanup_free_ char *key = NULL;
	size_t n = 0;
	int r;

	for (; names[n]; n++) {
		if (!host_name_is_valid(names[n]))
			return error_set(err, -EINVAL,
					 "\"%.64s\" is neither the name of a host nor an address",
					 names[n]);
		(void)json_object_array_add(list, json_object_new_string(names[n]));
	}
	if (n == 0 || n > IDENTITY_NAMES_MAX)
		return error_set(err, -EINVAL, "A hub has 1 to %d names", IDENTITY_NAMES_MAX);
	r = hub_certify(authority, names, now_s, &key, &certificate, err);
	if (r < 0)
		return r;
	r = db_begin(db, DB_DURABLE, err);
	if (r < 0)
		return r;
	r = db_run(db, NULL, err,
		   "INSERT INTO authority (id, certificate, key, names, hub_certificate, hub_key) "
		   "VALUES (1, ?, ?, ?, ?, ?)",
		   "ttttt", authority_pem(authority), authority_key_pem(authority),
		   json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN), certificate.pem,
		   key);
	return db_end(db, r, err);
}

static int names_read(const char *text, Identity *identity)
{
	_cleanup_json_ json_object *list = json_tokener_parse(text);

	if (!json_object_is_type(list, json_type_array) ||
	    json_object_array_length(list) > IDENTITY_NAMES_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(list, i));

		identity->names[i] = name ? strdup(name) : NULL;
		if (!identity->names[i])
			return -EBADMSG;
	}
	return 0;
}

static int identity_read(Db *db, sqlite3_stmt *row, int64_t now_s, Identity *identity, Error *err)
{
	identity->certificate = strdup(db_text(row, 3));
	identity->key = strdup(db_text(row, 4));
	if (!identity->certificate || !identity->key)
		return error_errno(err, -ENOMEM, "Reading the certificate authority");
	if (names_read(db_text(row, 2), identity) < 0)
		return error_set(err, -EBADMSG, "The database has no names of the hub");
	return authority_open(db_text(row, 0), db_text(row, 1), now_s, &identity->authority, err);
}

static int identity_renew(Db *db, Identity *identity, int64_t now_s, Error *err)
{
	_cleanup_certificate_ Certificate certificate = {0};
	_cleanup_free_ char *key = NULL;
	int r = hub_certify(identity->authority, (const char *const *)identity->names, now_s, &key,
			    &certificate, err);

	if (r == 0)
		r = db_run(db, NULL, err,
			   "UPDATE authority SET hub_certificate = ?, hub_key = ? WHERE id = 1",
			   "tt", certificate.pem, key);
	if (r < 0)
		return r;
	free(identity->certificate);
	identity->certificate = steal_ptr(&certificate.pem);
	free(identity->key);
	identity->key = steal_ptr(&key);
	identity->renew_s = certificate.renew_s;
	return 0;
}

int identity_load(Db *db, int64_t now_s, Identity *ret, Error *err)
{
	_cleanup_identity_ Identity identity = {0};
	sqlite3_stmt *row;
	int64_t from_s = 0, expires_s = 0;
	int r = db_query(db, &row, err,
			 "SELECT certificate, key, names, hub_certificate, hub_key FROM authority",
			 "");

	if (r < 0 || (r = db_step(db, row, err)) < 0)
		return r;
	if (r == 0)
		return error_set(err, -EBADMSG,
				 "The database has no certificate authority: segue hub init was "
				 "interrupted; remove it and run segue hub init again");
	r = identity_read(db, row, now_s, &identity, err);
	(void)sqlite3_reset(row);
	if (r < 0 || (r = certificate_validity(identity.certificate, &from_s, &expires_s, err)) < 0)
		return r;
	identity.renew_s = expires_s - AUTHORITY_HUB_S / 2;
	/* The clock may also have been put back since. */
	if (now_s >= identity.renew_s || expires_s - now_s > AUTHORITY_HUB_S)
		r = identity_renew(db, &identity, now_s, err);
	if (r < 0)
		return r;
	*ret = identity;
	identity = (Identity){0};
	return 0;
}
