/* SPDX-License-Identifier: Apache-2.0 */
/* GnuTLS's certificates, keys and requests: from PEM and to it, with errors of ours. */
#pragma once

#include <gnutls/x509.h>

#include "base/cleanup.h"
#include "base/error.h"

static inline void cleanup_crt(gnutls_x509_crt_t *crt)
{
	if (*crt)
		gnutls_x509_crt_deinit(*crt);
}
static inline void cleanup_key(gnutls_x509_privkey_t *key)
{
	if (*key)
		gnutls_x509_privkey_deinit(*key);
}
static inline void cleanup_csr(gnutls_x509_crq_t *csr)
{
	if (*csr)
		gnutls_x509_crq_deinit(*csr);
}
static inline void cleanup_datum(gnutls_datum_t *d)
{
	if (d->data)
		gnutls_memset(d->data, 0, d->size);
	gnutls_free(d->data);
}
#define _cleanup_crt_   _cleanup_(cleanup_crt)
#define _cleanup_key_   _cleanup_(cleanup_key)
#define _cleanup_csr_   _cleanup_(cleanup_csr)
#define _cleanup_datum_ _cleanup_(cleanup_datum)

/* What GnuTLS said, as an error with the given code, or -ENOMEM. */
int x509_failed(int e, int code, const char *what, Error *err);

/* The text itself, not a copy. */
gnutls_datum_t datum_of(const char *text);

/* A copy with a NUL behind it, which the caller frees.  -ENOMEM. */
int datum_text(const gnutls_datum_t *datum, char **ret, Error *err);

/* ECDSA on P-256. */
int key_generate(gnutls_x509_privkey_t key, Error *err);

/* From PEM; -EBADMSG: it is none, or has a passphrase. */
int key_import(gnutls_x509_privkey_t key, const char *pem, Error *err);

/* From PEM; the caller deinits it.  -EINVAL: it is none, or longer than CSR_MAX. */
int csr_import(const char *pem, gnutls_x509_crq_t *ret, Error *err);

/* From PEM; the caller deinits it.  -EBADMSG: it is none. */
int crt_import(const char *pem, gnutls_x509_crt_t *ret, Error *err);
