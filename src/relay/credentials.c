/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/credentials.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "relay/revoked.h"

/* AES-128 first: what is under way is no secret for long, and there is much of it. */
#define PRIORITY                                                                                   \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305"

struct Credentials {
	gnutls_certificate_credentials_t certificates;
	gnutls_priority_t priority;
	const char *revoked;
};

void credentials_free(Credentials *c)
{
	if (!c)
		return;
	if (c->certificates)
		gnutls_certificate_free_credentials(c->certificates);
	if (c->priority)
		gnutls_priority_deinit(c->priority);
	free(c);
}

int credentials_read(const CredentialFiles *files, Credentials **ret, Error *err)
{
	_cleanup_credentials_ Credentials *c = calloc(1, sizeof(*c));
	int r;

	if (!c || gnutls_certificate_allocate_credentials(&c->certificates) < 0 ||
	    gnutls_priority_init(&c->priority, PRIORITY, NULL) < 0)
		return error_errno(err, -ENOMEM, "Reading certificates");
	r = gnutls_certificate_set_x509_trust_file(c->certificates, files->ca, GNUTLS_X509_FMT_PEM);
	if (r <= 0)
		return error_set(err, -EBADMSG, "Reading the CA's certificate %s: %s", files->ca,
				 r < 0 ? gnutls_strerror(r) : "There is none in it");
	r = gnutls_certificate_set_x509_key_file(c->certificates, files->certificate, files->key,
						 GNUTLS_X509_FMT_PEM);
	if (r < 0)
		return error_set(err, -EBADMSG, "Reading the certificate %s and its key %s: %s",
				 files->certificate, files->key, gnutls_strerror(r));
	c->revoked = files->revoked;
	*ret = steal_ptr(&c);
	return 0;
}

/* Any member of the fleet will do, wherever it is: what it sends is checked by itself. */
static int on_verify(gnutls_session_t session)
{
	const Credentials *c = gnutls_session_get_ptr(session);
	const gnutls_datum_t *peers;
	unsigned status = 0, n = 0;

	if (gnutls_certificate_verify_peers3(session, NULL, &status) < 0 || status != 0)
		return GNUTLS_E_CERTIFICATE_ERROR;
	peers = gnutls_certificate_get_peers(session, &n);
	if (n == 0 || (c->revoked && revoked_check(c->revoked, &peers[0], NULL) < 0))
		return GNUTLS_E_CERTIFICATE_ERROR;
	return 0;
}

int credentials_session(Credentials *c, int fd, bool server, gnutls_session_t *ret, Error *err)
{
	gnutls_session_t session;
	unsigned flags =
		(server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL;

	if (gnutls_init(&session, flags) < 0)
		return error_errno(err, -ENOMEM, "Starting TLS");
	if (gnutls_priority_set(session, c->priority) < 0 ||
	    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, c->certificates) < 0) {
		gnutls_deinit(session);
		return error_errno(err, -ENOMEM, "Starting TLS");
	}
	gnutls_session_set_ptr(session, c);
	gnutls_session_set_verify_function(session, on_verify);
	if (server)
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	gnutls_transport_set_int(session, fd);
	*ret = session;
	return 0;
}
