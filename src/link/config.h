/* SPDX-License-Identifier: Apache-2.0 */
/* link.conf: which hub this machine is a node of. */
#pragma once

#include "base/error.h"

typedef struct LinkConfig {
	char *hub;  /* HOST:PORT, an IPv6 address in brackets; several hubs of one state: with
		     * spaces between them */
	char *name; /* of this node */
} LinkConfig;

void link_config_release(LinkConfig *config);
#define _cleanup_link_config_ __attribute__((cleanup(link_config_release)))

/* "hub.example.org", "192.0.2.1:8425", "2001:db8::1", "[2001:db8::1]:8425", or a list of these with
 * commas or spaces, in the form above; the caller frees it.  -EINVAL. */
int link_hub_parse(const char *text, char **ret, Error *err);

/* -ENOENT: there is no such file; -EBADMSG, -EINVAL: it is wrong. */
int link_config_read(const char *path, LinkConfig *ret, Error *err);
int link_config_write(const char *path, const LinkConfig *config, Error *err);
