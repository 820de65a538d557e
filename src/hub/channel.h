/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: which release nodes that follow one are to run. */
#pragma once

#include <json-c/json.h>

#include "hub/catalog.h"
#include "hub/db.h"

/* -ENOENT: the hub has no such release; -ESTALE: it is not of this channel, or of a lower version
 * than what the channel offers. */
int channel_set(Db *db, const Catalog *catalog, const char *name, const char *release,
		int64_t now_s, Error *err);

/* The release that a channel offers; "" if there is no such channel. */
int channel_get(Db *db, const char *name, char ret[DOCUMENT_NAME_MAX + 1], Error *err);

/* -ENOENT. */
int channel_remove(Db *db, const char *name, Error *err);

/* As the API tells them; the caller puts the array. */
int channel_list(Db *db, json_object **ret, Error *err);

/* -EBUSY: a channel offers the release. */
int channel_check_unused(Db *db, const char *release, Error *err);
