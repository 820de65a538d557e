/* SPDX-License-Identifier: Apache-2.0 */
/* What is in the hub's database, and how each version of it becomes the next. */
#pragma once

#define SCHEMA_APPLICATION_ID 0x73656775 /* "segu", in the header of the file */

#define SCHEMA_REPLICA "replica" /* the table that is not the same in several hubs */

/* Statement lists; the first makes version 1 of an empty database, each later one the next version.
 * Ends with NULL.  One that was released is never changed. */
extern const char *const schema_steps[];
