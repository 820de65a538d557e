/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/x509.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "hub/certificate.h"

int x509_failed(int e, int code, const char *what, Error *err)
{
	return error_set(err, e == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : code, "%s: %s", what,
			 gnutls_strerror(e));
}

gnutls_datum_t datum_of(const char *text)
{
	return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)text,
				.size = (unsigned)strlen(text)};
}

int datum_text(const gnutls_datum_t *datum, char **ret, Error *err)
{
	*ret = strndup((const char *)datum->data, datum->size);
	return *ret ? 0 : error_errno(err, -ENOMEM, "Exporting a certificate");
}

int key_generate(gnutls_x509_privkey_t key, Error *err)
{
	int e = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);

	return e < 0 ? x509_failed(e, -EIO, "Making a key", err) : 0;
}

int key_import(gnutls_x509_privkey_t key, const char *pem, Error *err)
{
	gnutls_datum_t datum = datum_of(pem);
	int e = gnutls_x509_privkey_import2(key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);

	return e < 0 ? x509_failed(e, -EBADMSG, "Not a private key in PEM without a passphrase",
				   err)
		     : 0;
}

int csr_import(const char *pem, gnutls_x509_crq_t *ret, Error *err)
{
	_cleanup_csr_ gnutls_x509_crq_t csr = NULL;
	gnutls_datum_t datum = datum_of(pem);
	int e;

	if (datum.size > CSR_MAX)
		return error_set(err, -EINVAL, "\"csr\" is longer than %zu bytes", CSR_MAX);
	if ((e = gnutls_x509_crq_init(&csr)) < 0 ||
	    (e = gnutls_x509_crq_import(csr, &datum, GNUTLS_X509_FMT_PEM)) < 0)
		return x509_failed(e, -EINVAL, "\"csr\" is no certificate request in PEM", err);
	*ret = steal_ptr(&csr);
	return 0;
}

int crt_import(const char *pem, gnutls_x509_crt_t *ret, Error *err)
{
	_cleanup_crt_ gnutls_x509_crt_t crt = NULL;
	gnutls_datum_t datum = datum_of(pem);
	int e;

	if ((e = gnutls_x509_crt_init(&crt)) < 0 ||
	    (e = gnutls_x509_crt_import(crt, &datum, GNUTLS_X509_FMT_PEM)) < 0)
		return x509_failed(e, -EBADMSG, "Not a certificate in PEM", err);
	*ret = steal_ptr(&crt);
	return 0;
}
