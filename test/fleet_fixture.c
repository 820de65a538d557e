/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet_fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

Node *node_trusting(HubFixture *hub, size_t i, int person)
{
	_cleanup_free_ char *name = text_format("n%zu", i);
	_cleanup_free_ char *from = text_format("trust-of-%s", name), *to = NULL, *path = NULL;
	_cleanup_free_ char *trust = text_format("%s/trust", from);
	unsigned pid = (unsigned)getpid();
	Node *node = node_joined(hub, name);

	(void)snprintf(node->address, sizeof(node->address), "127.%u.%u.%zu", pid >> 8 & 255U,
		       pid & 255U, i + 2);
	trust_put(from, person);
	path = in_top(trust);
	to = text_format("%s/trust", node->directory);
	assert_int_equal(rename(path, to), 0);
	return node;
}
