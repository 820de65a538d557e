/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/authority.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "hub/x509.h"

#define SERIAL_SIZE  16
#define RSA_BITS_MIN 3072
#define PATH_LENGTH  0 /* pathLenConstraint: no other authority below it */

struct Authority {
	gnutls_x509_crt_t certificate;
	gnutls_x509_privkey_t key;
	char *pem, *key_pem;
	Digest digest;
	int64_t expires_s;
};

/* ---- an authority ---- */

void authority_free(Authority *authority)
{
	if (!authority)
		return;
	cleanup_crt(&authority->certificate);
	cleanup_key(&authority->key);
	free(authority->pem);
	if (authority->key_pem)
		gnutls_memset(authority->key_pem, 0, strlen(authority->key_pem));
	free(authority->key_pem);
	free(authority);
}

static int authority_new(Authority **ret, Error *err)
{
	_cleanup_authority_ Authority *authority = calloc(1, sizeof(*authority));

	if (!authority || gnutls_x509_crt_init(&authority->certificate) < 0 ||
	    gnutls_x509_privkey_init(&authority->key) < 0)
		return error_errno(err, -ENOMEM, "Opening the certificate authority");
	*ret = steal_ptr(&authority);
	return 0;
}

static int authority_describe(Authority *authority, Error *err)
{
	_cleanup_datum_ gnutls_datum_t der = {0}, pem = {0}, key = {0};
	int e, r;

	if ((e = gnutls_x509_crt_export2(authority->certificate, GNUTLS_X509_FMT_DER, &der)) < 0 ||
	    (e = gnutls_x509_crt_export2(authority->certificate, GNUTLS_X509_FMT_PEM, &pem)) < 0 ||
	    (e = gnutls_x509_privkey_export2_pkcs8(authority->key, GNUTLS_X509_FMT_PEM, NULL,
						   GNUTLS_PKCS_PLAIN, &key)) < 0)
		return x509_failed(e, -EBADMSG, "Exporting the certificate authority", err);
	authority->expires_s = gnutls_x509_crt_get_expiration_time(authority->certificate);
	if ((r = datum_text(&pem, &authority->pem, err)) < 0 ||
	    (r = datum_text(&key, &authority->key_pem, err)) < 0)
		return r;
	return digest_of(der.data, der.size, &authority->digest, err);
}

static int serial_set(gnutls_x509_crt_t crt, Serial *ret, Error *err)
{
	Serial serial = {.size = SERIAL_SIZE};
	int e = gnutls_rnd(GNUTLS_RND_NONCE, serial.bytes, SERIAL_SIZE);

	/* Positive, and of the same length always, so that no byte is dropped on the way. */
	serial.bytes[0] = (uint8_t)((serial.bytes[0] & 0x3f) | 0x40);
	if (e < 0 || (e = gnutls_x509_crt_set_serial(crt, serial.bytes, SERIAL_SIZE)) < 0)
		return x509_failed(e, -EIO, "Numbering a certificate", err);
	*ret = serial;
	return 0;
}

/* A key identifier as RFC 5280, 4.2.1.2 suggests. */
static int key_id(gnutls_x509_crt_t crt, uint8_t *ret, size_t *size)
{
	return gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA1, ret, size);
}

static int ca_fill(Authority *authority, const char *fleet, int64_t now_s, Error *err)
{
	gnutls_x509_crt_t crt = authority->certificate;
	uint8_t id[32];
	size_t id_size = sizeof(id);
	Serial serial;
	int e, r = serial_set(crt, &serial, err);

	if (r < 0)
		return r;
	if ((e = gnutls_x509_crt_set_version(crt, 3)) < 0 ||
	    (e = gnutls_x509_crt_set_key(crt, authority->key)) < 0 ||
	    (e = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, fleet,
					       (unsigned)strlen(fleet))) < 0 ||
	    (e = gnutls_x509_crt_set_activation_time(crt, now_s - AUTHORITY_SKEW_S)) < 0 ||
	    (e = gnutls_x509_crt_set_expiration_time(crt, now_s + AUTHORITY_CA_S)) < 0 ||
	    (e = gnutls_x509_crt_set_basic_constraints(crt, 1, PATH_LENGTH)) < 0 ||
	    (e = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN |
							    GNUTLS_KEY_CRL_SIGN)) < 0 ||
	    (e = key_id(crt, id, &id_size)) < 0 ||
	    (e = gnutls_x509_crt_set_subject_key_id(crt, id, id_size)) < 0 ||
	    (e = gnutls_x509_crt_sign2(crt, crt, authority->key, GNUTLS_DIG_SHA256, 0)) < 0)
		return x509_failed(e, -EINVAL, "Making the certificate authority", err);
	return 0;
}

static bool keys_match(const Authority *authority)
{
	uint8_t a[32], b[32];
	size_t a_size = sizeof(a), b_size = sizeof(b);

	return gnutls_x509_crt_get_key_id(authority->certificate, GNUTLS_KEYID_USE_SHA256, a,
					  &a_size) == 0 &&
	       gnutls_x509_privkey_get_key_id(authority->key, GNUTLS_KEYID_USE_SHA256, b,
					      &b_size) == 0 &&
	       a_size == b_size && memcmp(a, b, a_size) == 0;
}

static int authority_check(const Authority *authority, int64_t now_s, Error *err)
{
	unsigned usage = 0;
	int64_t begins_s = gnutls_x509_crt_get_activation_time(authority->certificate);

	if (!keys_match(authority))
		return error_set(err, -EINVAL,
				 "The key is not that of the authority's certificate");
	if (gnutls_x509_crt_get_ca_status(authority->certificate, NULL) <= 0)
		return error_set(err, -EINVAL,
				 "The certificate is not that of an authority (CA:TRUE)");
	if (gnutls_x509_crt_get_key_usage(authority->certificate, &usage, NULL) == 0 &&
	    !(usage & GNUTLS_KEY_KEY_CERT_SIGN))
		return error_set(err, -EINVAL,
				 "The authority's certificate may not sign certificates "
				 "(keyCertSign)");
	if (now_s >= authority->expires_s)
		return error_set(err, -EINVAL, "The authority's certificate expired on %s",
				 time_text(authority->expires_s).text);
	if (now_s < begins_s)
		return error_set(err, -EINVAL,
				 "The authority's certificate counts from %s on only; is the clock "
				 "right?",
				 time_text(begins_s).text);
	return 0;
}

int authority_open(const char *certificate, const char *key, int64_t now_s, Authority **ret,
		   Error *err)
{
	_cleanup_authority_ Authority *authority = NULL;
	gnutls_datum_t datum = datum_of(certificate);
	int e, r = authority_new(&authority, err);

	if (r < 0)
		return r;
	e = gnutls_x509_crt_import(authority->certificate, &datum, GNUTLS_X509_FMT_PEM);
	if (e < 0)
		return x509_failed(e, -EBADMSG, "Not a certificate in PEM", err);
	if ((r = key_import(authority->key, key, err)) < 0 ||
	    (r = authority_describe(authority, err)) < 0 ||
	    (r = authority_check(authority, now_s, err)) < 0)
		return r;
	*ret = steal_ptr(&authority);
	return 0;
}

int authority_make(const char *fleet, int64_t now_s, Authority **ret, Error *err)
{
	_cleanup_authority_ Authority *authority = NULL;
	int r;

	if ((r = authority_new(&authority, err)) < 0 ||
	    (r = key_generate(authority->key, err)) < 0 ||
	    (r = ca_fill(authority, fleet, now_s, err)) < 0 ||
	    (r = authority_describe(authority, err)) < 0)
		return r;
	/* GnuTLS verifies nothing against a certificate that was not read from bytes. */
	return authority_open(authority->pem, authority->key_pem, now_s, ret, err);
}

const char *authority_pem(const Authority *authority)
{
	return authority->pem;
}

const char *authority_key_pem(const Authority *authority)
{
	return authority->key_pem;
}

const Digest *authority_digest(const Authority *authority)
{
	return &authority->digest;
}

int64_t authority_expires_s(const Authority *authority)
{
	return authority->expires_s;
}

/* ---- requests ---- */

static int csr_check_key(gnutls_x509_crq_t csr, Error *err)
{
	unsigned bits = 0;
	int algorithm = gnutls_x509_crq_get_pk_algorithm(csr, &bits);
	int e;

	if (algorithm != GNUTLS_PK_EDDSA_ED25519 &&
	    !(algorithm == GNUTLS_PK_ECDSA && (bits == 256 || bits == 384)) &&
	    !(algorithm == GNUTLS_PK_RSA && bits >= RSA_BITS_MIN))
		return error_set(err, -EINVAL,
				 "\"csr\": a key of this kind is not taken; use ECDSA on P-256 or "
				 "P-384, Ed25519, or RSA of %d bits or more",
				 RSA_BITS_MIN);
	e = gnutls_x509_crq_verify(csr, 0);
	return e < 0 ? x509_failed(e, -EINVAL, "\"csr\" is not signed by its key", err) : 0;
}

/* ---- certificates ---- */

/* The key and nothing else: who asks does not say what else is in it. */
static int public_key_set(gnutls_x509_crt_t crt, gnutls_x509_crq_t csr)
{
	gnutls_pubkey_t key;
	int e = gnutls_pubkey_init(&key);

	if (e < 0)
		return e;
	e = gnutls_pubkey_import_x509_crq(key, csr, 0);
	if (e >= 0)
		e = gnutls_x509_crt_set_pubkey(crt, key);
	gnutls_pubkey_deinit(key);
	return e;
}

void certificate_release(Certificate *certificate)
{
	free(certificate->pem);
	*certificate = (Certificate){0};
}

static int host_name_add(gnutls_x509_crt_t crt, const char *name)
{
	uint8_t address[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, name, address) == 1)
		return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, 4,
							    GNUTLS_FSAN_APPEND);
	if (inet_pton(AF_INET6, name, address) == 1)
		return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, 16,
							    GNUTLS_FSAN_APPEND);
	return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name,
						    (unsigned)strlen(name), GNUTLS_FSAN_APPEND);
}

static int names_set(gnutls_x509_crt_t crt, const CertificateRequest *request)
{
	int e = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, request->name,
					      (unsigned)strlen(request->name));

	for (const char *const *p = request->host_names; e >= 0 && p && *p; p++)
		e = host_name_add(crt, *p);
	/* Nodes that serve others are asked for by a name in a domain of their own: no node may
	 * take the hub's name and pass itself off as it. */
	if (e >= 0 && request->use == CERTIFICATE_NODE) {
		_cleanup_free_ char *host = text_format("%s" AUTHORITY_NODE_DOMAIN, request->name);

		e = host ? host_name_add(crt, host) : GNUTLS_E_MEMORY_ERROR;
	}
	return e;
}

static int uses_set(gnutls_x509_crt_t crt, CertificateUse use)
{
	int e = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);

	if (e >= 0 && use != CERTIFICATE_OPERATOR)
		e = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
	if (e >= 0 && use != CERTIFICATE_HUB)
		e = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_CLIENT, 0);
	return e;
}

static int certificate_sign(const Authority *authority, gnutls_x509_crt_t crt, int64_t begins_s,
			    int64_t ends_s, Error *err)
{
	uint8_t id[32], ca_id[32];
	size_t id_size = sizeof(id), ca_id_size = sizeof(ca_id);
	int e;

	if ((e = gnutls_x509_crt_set_version(crt, 3)) < 0 ||
	    (e = gnutls_x509_crt_set_activation_time(crt, begins_s)) < 0 ||
	    (e = gnutls_x509_crt_set_expiration_time(crt, ends_s)) < 0 ||
	    (e = gnutls_x509_crt_set_basic_constraints(crt, 0, -1)) < 0 ||
	    (e = key_id(crt, id, &id_size)) < 0 ||
	    (e = gnutls_x509_crt_set_subject_key_id(crt, id, id_size)) < 0 ||
	    (e = key_id(authority->certificate, ca_id, &ca_id_size)) < 0 ||
	    (e = gnutls_x509_crt_set_authority_key_id(crt, ca_id, ca_id_size)) < 0 ||
	    (e = gnutls_x509_crt_sign2(crt, authority->certificate, authority->key,
				       GNUTLS_DIG_SHA256, 0)) < 0)
		return x509_failed(e, -EIO, "Signing a certificate", err);
	return 0;
}

int authority_issue(const Authority *authority, const CertificateRequest *request, int64_t now_s,
		    Certificate *ret, Error *err)
{
	_cleanup_crt_ gnutls_x509_crt_t crt = NULL;
	_cleanup_csr_ gnutls_x509_crq_t csr = NULL;
	_cleanup_datum_ gnutls_datum_t pem = {0};
	int64_t ends_s = now_s + request->lifetime_s;
	Certificate issued = {0};
	int e, r;

	if (ends_s > authority->expires_s)
		ends_s = authority->expires_s;
	if (ends_s <= now_s)
		return error_set(err, -EINVAL, "The certificate authority expired on %s",
				 time_text(authority->expires_s).text);
	if ((r = csr_import(request->csr, &csr, err)) < 0 || (r = csr_check_key(csr, err)) < 0)
		return r;
	if ((e = gnutls_x509_crt_init(&crt)) < 0 || (e = public_key_set(crt, csr)) < 0 ||
	    (e = names_set(crt, request)) < 0 || (e = uses_set(crt, request->use)) < 0)
		return x509_failed(e, -EINVAL, "Making a certificate", err);
	if ((r = serial_set(crt, &issued.serial, err)) < 0 ||
	    (r = certificate_sign(authority, crt, now_s - AUTHORITY_SKEW_S, ends_s, err)) < 0)
		return r;
	if ((e = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem)) < 0)
		return x509_failed(e, -EIO, "Exporting a certificate", err);
	issued.expires_s = ends_s;
	issued.renew_s = now_s + (ends_s - now_s) / 2;
	r = datum_text(&pem, &issued.pem, err);
	if (r == 0)
		*ret = issued;
	return r;
}

bool authority_is_hub(const gnutls_datum_t *der)
{
	_cleanup_crt_ gnutls_x509_crt_t crt = NULL;
	char oid[64];
	size_t size = sizeof(oid);

	if (gnutls_x509_crt_init(&crt) < 0 ||
	    gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) < 0 ||
	    gnutls_x509_crt_get_key_purpose_oid(crt, 0, oid, &size, NULL) < 0 ||
	    strcmp(oid, GNUTLS_KP_TLS_WWW_SERVER) != 0)
		return false;
	size = sizeof(oid);
	return gnutls_x509_crt_get_key_purpose_oid(crt, 1, oid, &size, NULL) ==
	       GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
}

int authority_recognise(const Authority *authority, const gnutls_datum_t *der, Serial *ret_serial,
			int64_t *ret_expires_s, Error *err)
{
	_cleanup_crt_ gnutls_x509_crt_t crt = NULL;
	unsigned status = 0;
	Serial serial = {.size = sizeof(serial.bytes)};

	if (gnutls_x509_crt_init(&crt) < 0)
		return error_errno(err, -ENOMEM, "Looking at a certificate");
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) < 0 ||
	    gnutls_x509_crt_verify(crt, &authority->certificate, 1,
				   GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &status) < 0 ||
	    status != 0 || gnutls_x509_crt_get_serial(crt, serial.bytes, &serial.size) < 0)
		return error_set(err, -EKEYREJECTED,
				 "The certificate was not issued by this hub; segue join with a "
				 "token of this hub gets one");
	*ret_serial = serial;
	*ret_expires_s = gnutls_x509_crt_get_expiration_time(crt);
	return 0;
}

SerialText serial_text(const Serial *serial)
{
	static const char digits[] = "0123456789abcdef";
	SerialText result = {0};

	for (size_t i = 0; i < serial->size; i++) {
		result.text[2 * i] = digits[serial->bytes[i] >> 4];
		result.text[2 * i + 1] = digits[serial->bytes[i] & 15];
	}
	return result;
}
