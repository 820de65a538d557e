/* SPDX-License-Identifier: Apache-2.0 */
/* A fleet as an operator writes it or a coordinator keeps it: what was loaded can be saved, and
 * loaded again, and one can decide about it. */
#include "fleet/save.h"

#include "base/json.h"
#include "fleet/rollout.h"
#include "fuzz.h"

static void again_try(const Fleet *fleet)
{
	_cleanup_fleet_ Fleet *again = NULL;
	_cleanup_json_ json_object *saved = NULL;

	require(fleet_save(fleet, &saved, NULL) == 0);
	require(fleet_load(saved, &again, NULL) == 0);
	require(again->n_nodes == fleet->n_nodes && again->n_rollouts == fleet->n_rollouts);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(bytes, size);
	_cleanup_json_ json_object *o = json_tokener_parse(text);
	_cleanup_fleet_ Fleet *fleet = NULL;
	Error err = {0};
	int r;

	if (!json_object_is_type(o, json_type_object))
		return 0;
	r = fleet_load(o, &fleet, &err);
	if (r < 0) {
		require_refusal(r, &err);
		require(!fleet);
		return 0;
	}
	again_try(fleet);
	return 0;
}
