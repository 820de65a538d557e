/* SPDX-License-Identifier: Apache-2.0 */
/* [X-Segue] in unit files and drop-ins, and names of units. */
#include "swap/unit.h"

#include <string.h>

#include "fuzz.h"

static void name_try(const char *text)
{
	_cleanup_free_ char *name = NULL;
	_cleanup_free_ char *again = NULL;
	Error err = {0};
	int r = unit_name_normalize(text, &name, &err);

	if (r < 0) {
		require_refusal(r, &err);
		return;
	}
	require(strlen(name) <= 255 && !strchr(name, '/') && name[0] != '.');
	require(unit_name_normalize(name, &again, NULL) == 0 && strcmp(name, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(bytes, size);
	UnitOptions options = {0};
	Error err = {0};
	int r = unit_options_parse(text, size, "corpus", &options, &err);

	if (r < 0)
		require_refusal(r, &err);
	unit_options_release(&options);
	name_try(text);
	return 0;
}
