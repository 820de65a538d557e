/* SPDX-License-Identifier: Apache-2.0 */
#include "link/backoff.h"

int64_t backoff_fail(Backoff *backoff, uint32_t random)
{
	int64_t longest_ms = backoff->first_ms;

	for (unsigned i = 0; i < backoff->failures && longest_ms < backoff->most_ms; i++)
		longest_ms *= 2;
	if (longest_ms > backoff->most_ms)
		longest_ms = backoff->most_ms;
	backoff->failures++;
	return 1 + (int64_t)(((uint64_t)(longest_ms - 1) * random) >> 32);
}

void backoff_succeed(Backoff *backoff)
{
	backoff->failures = 0;
}
