/* SPDX-License-Identifier: Apache-2.0 */
/* A segue-hub of its own, and clients of it. */
#pragma once

#include <curl/curl.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

typedef struct HubFixture {
	char directory[64]; /* of all that it has */
	char socket[96];    /* path */
	pid_t pid;          /* 0: it does not run */
	unsigned port;
	unsigned relay_port;     /* 0: one is chosen when it starts */
	unsigned fleetlock_port; /* of the FleetLock protocol */
	int64_t relay_rate;      /* bytes a second; 0: no limit */
	const char *etcd;        /* its members, as --etcd has them; NULL: it is alone */
	bool publish;            /* --etcd-publish, at the next start */
} HubFixture;

/* Just the place for a hub that takes its state from others. */
int hub_fixture_place(HubFixture *ret, Error *err);

/* A port of this machine that nobody has at the moment; 0: there is none. */
unsigned port_free(void);

/* Makes a hub and starts it, on the port that it had before; the program is that of $SEGUE_HUB.
 * -ETIMEDOUT: it was not ready. */
int hub_fixture_make(HubFixture *ret, Error *err);
int hub_fixture_start(HubFixture *fixture, Error *err);

/* SIGTERM, and waits: its exit status; -ECANCELED: a signal ended it. */
int hub_fixture_stop(HubFixture *fixture);

/* Stops it, does to its database what the SQL says, and starts it again: what only time does else.
 */
int hub_fixture_change(HubFixture *fixture, const char *sql, Error *err);

/* Also stops it, and removes the directory. */
void hub_fixture_remove(HubFixture *fixture);

/* Over the unix socket if `as` is NULL; else with TLS and the files AS.pem and AS.key of the
 * directory, or with no certificate if it is "".  The body is JSON, or NULL.  Returns the status,
 * and what was answered (the caller puts it; NULL: no JSON); 0: there was no answer. */
long hub_fixture_ask(const HubFixture *fixture, const char *as, const char *method,
		     const char *path, json_object *body, json_object **ret);

/* A handle that asks as the above does; its parts are ready to be changed.  The caller cleans up.
 */
CURL *hub_fixture_handle(const HubFixture *fixture, const char *as, const char *method,
			 const char *path, const char *body);

/* The message of an error. */
const char *hub_fixture_message(json_object *answer);

/* A token for `uses` nodes.  The caller frees it; NULL: there was an error. */
char *hub_fixture_token(const HubFixture *fixture, int uses);

/* Makes NAME.key and returns the body of an enrolment. */
json_object *hub_fixture_enrolment(const HubFixture *fixture, const char *name, const char *token);

/* Writes NAME.pem from what an enrolment has answered. */
int hub_fixture_keep(const HubFixture *fixture, const char *name, json_object *answer, Error *err);
