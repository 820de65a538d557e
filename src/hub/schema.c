/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/schema.h"

#include <stddef.h>

const char *const schema_steps[] = {
	/* The one certificate authority; its key, and that of the hub itself, as PKCS #8 in PEM. */
	"CREATE TABLE authority ("
	"  id INTEGER PRIMARY KEY CHECK (id = 1),"
	"  certificate TEXT NOT NULL,"
	"  key TEXT NOT NULL,"
	"  names TEXT NOT NULL," /* that nodes reach the hub by; JSON */
	"  hub_certificate TEXT NOT NULL,"
	"  hub_key TEXT NOT NULL"
	") STRICT;"
	"CREATE TABLE tokens ("
	"  id TEXT PRIMARY KEY,"
	"  hash BLOB NOT NULL," /* SHA-256 of the secret */
	"  labels TEXT NOT NULL,"
	"  note TEXT NOT NULL,"
	"  uses INTEGER NOT NULL DEFAULT 0,"
	"  uses_max INTEGER NOT NULL,"
	"  created_s INTEGER NOT NULL,"
	"  expires_s INTEGER NOT NULL,"
	"  revoked_s INTEGER"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE nodes ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT," /* a name can be enrolled again, an id cannot */
	"  name TEXT NOT NULL UNIQUE,"
	"  labels TEXT NOT NULL,"
	"  address TEXT NOT NULL DEFAULT '',"
	"  enrolled_s INTEGER NOT NULL,"
	"  seen_s INTEGER,"
	"  report TEXT,"
	"  report_s INTEGER"
	") STRICT;"
	/* Of nodes, by their id, and of operators, by name. */
	"CREATE TABLE certificates ("
	"  serial BLOB PRIMARY KEY,"
	"  node INTEGER,"
	"  operator TEXT,"
	"  expires_s INTEGER NOT NULL,"
	"  revoked_s INTEGER,"
	"  CHECK ((node IS NULL) <> (operator IS NULL))"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX certificates_of_node ON certificates (node);"
	"CREATE TABLE orders ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  node INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,"
	"  kind TEXT NOT NULL,"
	"  body TEXT NOT NULL,"
	"  state TEXT NOT NULL DEFAULT 'queued',"
	"  message TEXT NOT NULL DEFAULT '',"
	"  created_s INTEGER NOT NULL,"
	"  sent_s INTEGER,"
	"  finished_s INTEGER"
	") STRICT;"
	"CREATE INDEX orders_of_node ON orders (node, id);"
	"CREATE INDEX orders_open ON orders (node) WHERE finished_s IS NULL;"
	"CREATE TABLE channels ("
	"  name TEXT PRIMARY KEY,"
	"  release TEXT NOT NULL,"
	"  set_s INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;",
	/* Rollouts: see rollout.c; and which order an action of theirs has become. */
	"CREATE TABLE fleet ("
	"  id INTEGER PRIMARY KEY CHECK (id = 1),"
	"  body TEXT NOT NULL"
	") STRICT;"
	"CREATE TABLE actions ("
	"  number INTEGER PRIMARY KEY,"
	"  ordered INTEGER NOT NULL"
	") STRICT;"
	"CREATE INDEX actions_ordered ON actions (ordered);",
	"CREATE TABLE audit ("
	"  id INTEGER PRIMARY KEY,"
	"  at_s INTEGER NOT NULL,"
	"  who TEXT NOT NULL,"
	"  method TEXT NOT NULL,"
	"  path TEXT NOT NULL,"
	"  refused TEXT"
	") STRICT;",
	/* Of several hubs, which state this is, and how far: see replica.h.  Each has its own. */
	"CREATE TABLE " SCHEMA_REPLICA " ("
	"  id INTEGER PRIMARY KEY CHECK (id = 1),"
	"  cluster TEXT NOT NULL,"
	"  applied INTEGER NOT NULL"
	") STRICT;"
	"INSERT INTO " SCHEMA_REPLICA " VALUES (1, '', 0);",
	NULL,
};
