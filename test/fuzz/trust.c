/* SPDX-License-Identifier: Apache-2.0 */
/* Who may sign releases. */
#include "release/trust.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_trust_ Trust *trust = NULL;
	_cleanup_free_ char *text = NULL;
	size_t text_size;
	Error err = {0};
	int r = trust_parse(bytes, size, &trust, &err);

	if (r < 0) {
		require_refusal(r, &err);
		require(!trust);
		return 0;
	}
	for (TrustRole role = 0; role < TRUST_ROLES; role++)
		require(trust->thresholds[role] >= 1 &&
			trust->thresholds[role] <= (int64_t)trust->n_keys);
	require(trust_compose(trust, &text, &text_size, NULL) == 0);
	return 0;
}
