/* SPDX-License-Identifier: Apache-2.0 */
/* Where the link to a hub has what it needs. */
#pragma once

#define LINK_USER      "segue-link"
#define LINK_CONFIG    "/etc/segue/link.conf"
#define LINK_DIRECTORY "/var/lib/segue-link" /* that user's, and nobody else's */
#define LINK_STATUS    "/run/segue-link/status.json"
#define LINK_TRUST_TOP "/etc/segue" /* who may sign releases is in "trust" there */

/* In the directory. */
#define LINK_KEY         "node.key"
#define LINK_CERTIFICATE "node.pem"
#define LINK_AUTHORITY   "ca.pem"
#define LINK_ORDER       "order.json"
#define LINK_REVOKED     "revoked"   /* certificates of others, see relay/revoked.h */
#define LINK_DEPOT       "depot"     /* releases, */
#define LINK_DOCUMENTS   "documents" /* and what was signed of those that are on their way */
