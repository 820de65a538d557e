/* SPDX-License-Identifier: Apache-2.0 */
/* Who this node is to others, and whom it believes: TLS 1.3, a certificate on both sides. */
#pragma once

#include <gnutls/gnutls.h>
#include <stdbool.h>

#include "base/error.h"

typedef struct Credentials Credentials;

/* PEM files: the CA that signed everybody's certificate, this node's own, its key. */
typedef struct CredentialFiles {
	const char *ca, *certificate, *key;
	const char *revoked; /* see revoked.h; NULL: none are */
} CredentialFiles;

/* The path of revoked ones must live as long.  -EBADMSG: GnuTLS cannot use one of them. */
int credentials_read(const CredentialFiles *files, Credentials **ret, Error *err);
void credentials_free(Credentials *credentials);

/* A session on a connected socket.  Whoever has no certificate of the CA gets no further than the
 * handshake. */
int credentials_session(Credentials *credentials, int fd, bool server, gnutls_session_t *ret,
			Error *err);

static inline void cleanup_credentials(Credentials **credentials)
{
	credentials_free(*credentials);
}
#define _cleanup_credentials_ __attribute__((cleanup(cleanup_credentials)))
