/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/certificate.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <string.h>

#include "base/cleanup.h"
#include "hub/x509.h"

/* ---- requests ---- */

int csr_name(const char *pem, char ret[DOCUMENT_NAME_MAX + 1], Error *err)
{
	_cleanup_csr_ gnutls_x509_crq_t csr = NULL;
	char name[DOCUMENT_NAME_MAX + 1] = "";
	size_t size = sizeof(name);
	int r = csr_import(pem, &csr, err);

	if (r < 0)
		return r;
	if (gnutls_x509_crq_get_dn_by_oid(csr, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size) <
		    0 ||
	    strlen(name) != size || !name_is_valid(name))
		return error_set(err, -EINVAL,
				 "\"csr\": its common name is no name; give \"name\", of letters, "
				 "digits and ._+~:-");
	memcpy(ret, name, sizeof(name));
	return 0;
}

static int csr_fill(const char *name, gnutls_x509_privkey_t key, char **ret_csr, Error *err)
{
	_cleanup_csr_ gnutls_x509_crq_t csr = NULL;
	_cleanup_datum_ gnutls_datum_t pem = {0};
	int e;

	if ((e = gnutls_x509_crq_init(&csr)) < 0 || (e = gnutls_x509_crq_set_version(csr, 1)) < 0 ||
	    (e = gnutls_x509_crq_set_key(csr, key)) < 0 ||
	    (e = gnutls_x509_crq_set_dn_by_oid(csr, GNUTLS_OID_X520_COMMON_NAME, 0, name,
					       (unsigned)strlen(name))) < 0 ||
	    (e = gnutls_x509_crq_sign2(csr, key, GNUTLS_DIG_SHA256, 0)) < 0 ||
	    (e = gnutls_x509_crq_export2(csr, GNUTLS_X509_FMT_PEM, &pem)) < 0)
		return x509_failed(e, -EINVAL, "Making a certificate request", err);
	return datum_text(&pem, ret_csr, err);
}

int key_request_make(const char *name, char **ret_key, char **ret_csr, Error *err)
{
	_cleanup_key_ gnutls_x509_privkey_t key = NULL;
	_cleanup_datum_ gnutls_datum_t pem = {0};
	_cleanup_free_ char *csr = NULL;
	int e, r;

	if ((e = gnutls_x509_privkey_init(&key)) < 0)
		return x509_failed(e, -EIO, "Making a key", err);
	if ((r = key_generate(key, err)) < 0 || (r = csr_fill(name, key, &csr, err)) < 0)
		return r;
	e = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
					      &pem);
	if (e < 0)
		return x509_failed(e, -EIO, "Exporting a key", err);
	r = datum_text(&pem, ret_key, err);
	if (r == 0)
		*ret_csr = steal_ptr(&csr);
	return r;
}

int key_check(const char *pem, Error *err)
{
	_cleanup_key_ gnutls_x509_privkey_t key = NULL;
	int e = gnutls_x509_privkey_init(&key);

	return e < 0 ? x509_failed(e, -EIO, "Reading a key", err) : key_import(key, pem, err);
}

int key_request_again(const char *name, const char *pem, char **ret_csr, Error *err)
{
	_cleanup_key_ gnutls_x509_privkey_t key = NULL;
	int e = gnutls_x509_privkey_init(&key), r;

	if (e < 0)
		return x509_failed(e, -EIO, "Reading a key", err);
	r = key_import(key, pem, err);
	return r < 0 ? r : csr_fill(name, key, ret_csr, err);
}

/* ---- certificates ---- */

int certificate_validity(const char *pem, int64_t *ret_from_s, int64_t *ret_to_s, Error *err)
{
	_cleanup_crt_ gnutls_x509_crt_t crt = NULL;
	int r = crt_import(pem, &crt, err);

	if (r < 0)
		return r;
	*ret_from_s = gnutls_x509_crt_get_activation_time(crt);
	*ret_to_s = gnutls_x509_crt_get_expiration_time(crt);
	return 0;
}

int certificate_digest(const char *pem, Digest *ret, Error *err)
{
	_cleanup_crt_ gnutls_x509_crt_t crt = NULL;
	_cleanup_datum_ gnutls_datum_t der = {0};
	int e, r = crt_import(pem, &crt, err);

	if (r < 0)
		return r;
	e = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der);
	return e < 0 ? x509_failed(e, -EBADMSG, "Exporting a certificate", err)
		     : digest_of(der.data, der.size, ret, err);
}
