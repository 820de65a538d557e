/* SPDX-License-Identifier: Apache-2.0 */
/* segue.conf(5): an error with a text, or a configuration that is whole. */
#include "base/config.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_config_ Config config = {0};
	_cleanup_free_ char *text = fuzz_text(bytes, size);
	Error err = {0};
	int r = config_parse(text, size, "corpus", &config, &err);

	if (r < 0) {
		require_refusal(r, &err);
		require(!config.store_path);
		return 0;
	}
	require(config.store_path && config.store_path[0] == '/' && config.kexec_append);
	require(config.health_timeout_s >= 1 && config.health_timeout_s <= 3600);
	return 0;
}
