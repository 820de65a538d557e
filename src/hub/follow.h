/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that follow a channel are sent what it offers, without being asked to. */
#pragma once

#include "hub/hub.h"

/* To all that follow it: it offers another release now. */
int follow_all(Hub *hub, const char *channel, int64_t now_s, Error *err);

/* To one, which has just told which it follows (NULL: none): unless it has been sent it.  A node
 * that could not take it is sent it again some time later.  What goes wrong is told in the journal.
 */
void follow_one(Hub *hub, const char *node, const char *channel, int64_t now_s);
