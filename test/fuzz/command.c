/* SPDX-License-Identifier: Apache-2.0 */
/* What segue-relay is told. */
#include "relay/command.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_command_ Command command = {0};
	Error err = {0};
	int r = command_parse((const char *)bytes, size, &command, &err);

	if (r < 0) {
		require_refusal(r, &err);
		require(!command.order.document);
		return 0;
	}
	require(name_is_valid(command.order.release));
	for (int i = 0; i < command.order.stripes; i++)
		require(command.order.n_parents[i] >= 1 &&
			command.order.n_parents[i] <= RELAY_PARENTS_MAX);
	require((command.kind == COMMAND_FETCH) == (command.order.document != NULL));
	return 0;
}
