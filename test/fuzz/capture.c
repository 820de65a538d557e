/* SPDX-License-Identifier: Apache-2.0 */
/* What describes the captures. */
#include "swap/capture.h"

#include <string.h>

#include "base/json.h"
#include "fuzz.h"

static void units_require(json_object *units)
{
	for (size_t i = 0; i < json_length(units); i++) {
		json_object *unit = json_object_array_get_idx(units, i);
		json_object *trees = json_opt_array(unit, "trees");
		const char *directory = json_opt_string(unit, "directory", "/");

		require(*directory && !strchr(directory, '/') && strcmp(directory, "..") != 0);
		require(json_opt_string(unit, "cgroup", "")[0] == '/');
		for (size_t j = 0; j < json_length(trees); j++)
			require(json_opt_int(json_object_array_get_idx(trees, j), "pid", 0) > 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_json_ json_object *o = NULL;
	Error err = {0};
	int r;

	fuzz_file(CAPTURE_FILE, bytes, size);
	r = capture_read(fuzz_directory(), &o, &err);
	if (r < 0) {
		require_refusal(r, &err);
		require(!o);
		return 0;
	}
	units_require(json_opt_array(o, "units"));
	return 0;
}
