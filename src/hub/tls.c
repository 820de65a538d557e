/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/tls.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* GnuTLS asks for it in a function that is given nothing of ours. */
static struct {
	gnutls_pcert_st certificate;
	gnutls_privkey_t key; /* NULL: there is none */
} shown;

static int tls_failed(int e, Error *err)
{
	return error_set(err, -EBADMSG, "Taking the hub's certificate: %s", gnutls_strerror(e));
}

int tls_set(const char *certificate, const char *key, Error *err)
{
	gnutls_datum_t certificate_pem = {(unsigned char *)(uintptr_t)certificate,
					  (unsigned)strlen(certificate)};
	gnutls_datum_t key_pem = {(unsigned char *)(uintptr_t)key, (unsigned)strlen(key)};
	gnutls_pcert_st new_certificate;
	gnutls_privkey_t new_key;
	int e = gnutls_privkey_init(&new_key);

	if (e < 0)
		return tls_failed(e, err);
	e = gnutls_privkey_import_x509_raw(new_key, &key_pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (e >= 0)
		e = gnutls_pcert_import_x509_raw(&new_certificate, &certificate_pem,
						 GNUTLS_X509_FMT_PEM, 0);
	if (e < 0) {
		gnutls_privkey_deinit(new_key);
		return tls_failed(e, err);
	}
	tls_clear();
	shown.certificate = new_certificate;
	shown.key = new_key;
	return 0;
}

void tls_clear(void)
{
	if (!shown.key)
		return;
	gnutls_pcert_deinit(&shown.certificate);
	gnutls_privkey_deinit(shown.key);
	shown.key = NULL;
}

int tls_retrieve(gnutls_session_t session, const gnutls_datum_t *authorities, int n_authorities,
		 const gnutls_pk_algorithm_t *algorithms, int n_algorithms,
		 gnutls_pcert_st **ret_certificate, unsigned *ret_n, gnutls_privkey_t *ret_key)
{
	if (!shown.key)
		return -1;
	*ret_certificate = &shown.certificate;
	*ret_n = 1;
	*ret_key = shown.key;
	return 0;
}
