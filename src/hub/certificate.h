/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes and their hub both know of certificates: a key, the request for one (CSR, RFC 2986),
 * and what it says.  All of it is PEM. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "release/digest.h"
#include "release/document.h"

/* No CSR, key or certificate that is taken is longer. */
#define CSR_MAX ((size_t)16 << 10)

/* A new ECDSA P-256 key and a CSR for it, both PEM.  The caller frees them. */
int key_request_make(const char *name, char **ret_key, char **ret_csr, Error *err);

/* As key_request_make(), for a key that there is.  -EBADMSG. */
int key_request_again(const char *name, const char *key, char **ret_csr, Error *err);

/* Whether it is a key.  -EBADMSG. */
int key_check(const char *key, Error *err);

/* The common name of a CSR.  -EINVAL: it is none, or its name is not one. */
int csr_name(const char *csr, char ret[DOCUMENT_NAME_MAX + 1], Error *err);

/* When a certificate in PEM began, and ends, in seconds since 1970; -EBADMSG. */
int certificate_validity(const char *pem, int64_t *ret_from_s, int64_t *ret_to_s, Error *err);

/* The SHA-256 of a certificate in PEM: of its DER form; -EBADMSG. */
int certificate_digest(const char *pem, Digest *ret, Error *err);
