/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/rest.h"

#include "base/config.h"
#include "store/store.h"

void captures_rest(Journal *journal)
{
	_cleanup_config_ Config config = {0};
	Error why = {0};
	int r = config_read(CONFIG_PATH, &config, &why);

	if (r == 0)
		r = store_rest(&config, &why);
	if (r < 0)
		journal_warn(journal, why.text);
}
