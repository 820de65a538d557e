/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "link_fixture.h"
#include "release_fixture.h"

/* Node "n<i>" of a hub, with an address that no other test has, for which `person` may sign. */
Node *node_trusting(HubFixture *hub, size_t i, int person);
