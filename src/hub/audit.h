/* SPDX-License-Identifier: Apache-2.0 */
/* Who has commanded what: every request that changes something, as it was answered. */
#pragma once

#include <json-c/json.h>

#include "hub/db.h"

typedef struct AuditEntry {
	int64_t at_s;
	const char *who;           /* an operator's name, or "root" and "uid N" on the hub itself */
	const char *method, *path; /* as in doc/hub-openapi.json */
	const char *refused;       /* why; NULL: it was done */
} AuditEntry;

int audit_add(Db *db, const AuditEntry *entry, Error *err);

/* The last `n`, newest first; the caller puts the array. */
int audit_list(Db *db, int64_t n, json_object **ret, Error *err);

/* Forgets what is older than a year. */
int audit_prune(Db *db, int64_t now_s, Error *err);
