/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fleet's certificate authority (X.509, RFC 5280): made here, or given.  No I/O and no clock:
 * who calls says what time it is.
 *
 * Whether a certificate still counts is not in it: see credential.h.
 */
#pragma once

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "hub/certificate.h"
#include "release/digest.h"

#define AUTHORITY_DAY_S      ((int64_t)24 * 3600)
#define AUTHORITY_CA_S       (AUTHORITY_DAY_S * 3650)
#define AUTHORITY_HUB_S      (AUTHORITY_DAY_S * 90)
#define AUTHORITY_NODE_S     (AUTHORITY_DAY_S * 7)
#define AUTHORITY_OPERATOR_S (AUTHORITY_DAY_S * 365)
/* How long after its end a node's certificate still serves to get the next one, and nothing else.
 */
#define AUTHORITY_GRACE_S (AUTHORITY_DAY_S * 30)
#define AUTHORITY_SKEW_S  ((int64_t)600) /* that clocks may differ by */

#define AUTHORITY_NODE_DOMAIN ".node.segue" /* what node NAME is called as a server */

typedef enum CertificateUse {
	CERTIFICATE_HUB,
	CERTIFICATE_NODE, /* a client, and a server for other nodes */
	CERTIFICATE_OPERATOR,
} CertificateUse;

typedef struct Serial {
	uint8_t bytes[20]; /* as much as RFC 5280, 4.1.2.2 allows; positive, never 0 */
	size_t size;
} Serial;

typedef struct Authority Authority;

/* A new one, named after the fleet. */
int authority_make(const char *fleet, int64_t now_s, Authority **ret, Error *err);

/* One that is given as PEM.  -EBADMSG: they are no certificate and key; -EINVAL: they do not belong
 * together, may not sign certificates, or are not valid now, and which it is. */
int authority_open(const char *certificate, const char *key, int64_t now_s, Authority **ret,
		   Error *err);
void authority_free(Authority *authority);
static inline void cleanup_authority(Authority **authority)
{
	authority_free(*authority);
}
#define _cleanup_authority_ __attribute__((cleanup(cleanup_authority)))

const char *authority_pem(const Authority *authority);
const char *authority_key_pem(const Authority *authority);
const Digest *authority_digest(const Authority *authority); /* of the certificate, DER */
int64_t authority_expires_s(const Authority *authority);

typedef struct Certificate {
	char *pem; /* owned */
	Serial serial;
	int64_t expires_s, renew_s;
} Certificate;

void certificate_release(Certificate *certificate);
#define _cleanup_certificate_ __attribute__((cleanup(certificate_release)))

/* What a certificate is to say.  Only the key is taken from the CSR, whose signature shows that who
 * asks has it. */
typedef struct CertificateRequest {
	const char *csr; /* PEM */
	CertificateUse use;
	const char *name;
	const char *const *host_names; /* names and addresses of the hub; ends with NULL; or NULL */
	int64_t lifetime_s;            /* it ends no later than the authority itself */
} CertificateRequest;

/* -EINVAL: the CSR is none, is not signed by its key, or the key is too weak. */
int authority_issue(const Authority *authority, const CertificateRequest *request, int64_t now_s,
		    Certificate *ret, Error *err);

/* Whether a certificate that the authority has issued is one of a hub's: it may be a server and not
 * a client. */
bool authority_is_hub(const gnutls_datum_t *der);

/* Whether `der` is a certificate that this authority has issued, whatever the time: -EKEYREJECTED.
 */
int authority_recognise(const Authority *authority, const gnutls_datum_t *der, Serial *ret_serial,
			int64_t *ret_expires_s, Error *err);

typedef struct SerialText {
	char text[41];
} SerialText;

SerialText serial_text(const Serial *serial);
