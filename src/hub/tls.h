/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate that the hub shows in handshakes.  It can be changed while connections are open.
 */
#pragma once

#include <gnutls/abstract.h>

#include "base/error.h"

/* PEM.  -EBADMSG; then the one before stays. */
int tls_set(const char *certificate, const char *key, Error *err);
void tls_clear(void);

/* Of an HttpTls. */
gnutls_certificate_retrieve_function2 tls_retrieve;
