/* SPDX-License-Identifier: Apache-2.0 */
/* mountinfo of a process, whose mounts can have any name. */
#include "swap/mounts.h"

#include <string.h>

#include "base/json.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(bytes, size);
	_cleanup_(mounts_free) MountTable table = {0};
	Error err = {0};
	int r = mounts_parse(text, &table, &err);

	if (r < 0) {
		require_refusal(r, &err);
		require(table.n == 0 && !table.mounts);
		return 0;
	}
	for (size_t i = 0; i < table.n; i++) {
		_cleanup_json_ json_object *o = mount_describe(&table.mounts[i]);
		_cleanup_free_ char *inside = mount_find_inside(&table, i);

		require(strcmp(json_opt_string(o, "point", "?"), table.mounts[i].point) == 0);
		require(mounts_by_id(&table, table.mounts[i].id));
		(void)mount_is_left_out(&table.mounts[i]);
	}
	return 0;
}
