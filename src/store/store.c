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

static bool may_rest(const Store *store, const Config *config)
{
	return store->rest && config->lend_ram && config->store != CONFIG_STORE_DISK;
}

int store_rest(const Config *config, Error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(stores) / sizeof(stores[0]); i++)
		if (may_rest(stores[i], config))
			r = stores[i]->rest(err);
	return r;
}

bool store_is_at_rest(const Config *config)
{
	for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
		if (may_rest(stores[i], config) && !stores[i]->is_at_rest())
			return false;
	return true;
}
