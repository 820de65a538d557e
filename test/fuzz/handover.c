/* SPDX-License-Identifier: Apache-2.0 */
/* What segue-init is told. */
#include "swap/handover.h"

#include "base/json.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_json_ json_object *o = NULL;
	Error err = {0};
	int r;

	fuzz_file("handover.json", bytes, size);
	r = handover_read(fuzz_directory(), "handover.json", &o, &err);
	if (r < 0) {
		require_refusal(r, &err);
		require(!o);
		return 0;
	}
	require(json_opt_string(o, "direction", NULL) && json_opt_string(o, "init", NULL));
	require(json_opt_int(o, "modules_first", -1) >= 0);
	return 0;
}
