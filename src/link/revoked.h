/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "link/session.h"

/* Gets from the hub which certificates were revoked, for this node's relay.  As session_ask(). */
int revoked_fetch(Session *session, const char *directory, Error *err);
