/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <string.h>

#include "base/json.h"

static const Store *const stores[] = {&store_ram, &store_disk};

const Store *store_by_name(const char *name)
{
	for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
		_cleanup_json_ json_object *location = NULL;
		int64_t free_bytes;

		if (strcmp(name, stores[i]->name) == 0)
			return stores[i];
		if (strcmp(name, "auto") == 0 &&
		    stores[i]->locate(NULL, &location, &free_bytes, NULL) == 0)
			return stores[i];
	}
	return strcmp(name, "auto") == 0 ? &store_disk : NULL;
}
