/* SPDX-License-Identifier: Apache-2.0 */
/* The segue-relay beside the hub: it serves the hub's releases to the first nodes.  A process of
 * its own, which ends with the hub, and is started again if it ends by itself. */
#pragma once

#include <json-c/json.h>
#include <systemd/sd-event.h>

#include "hub/identity.h"

/* Not the same, so that a hub can be a node as well. */
#define RELAY_HUB_PORT  "8426" /* unless another is said */
#define RELAY_NODE_PORT 7420   /* as segue-relay(8) has it */

/* Files in the hub's directory that say who the hub is. */
#define HUB_RELAY_CA          "relay/ca.pem"
#define HUB_RELAY_CERTIFICATE "relay/hub.pem"
#define HUB_RELAY_KEY         "relay/hub.key"

typedef struct HubRelay HubRelay;

typedef struct HubRelaySetup {
	const char *program;   /* path */
	const char *directory; /* of the hub */
	const char *where;     /* "PORT" or "ADDRESS:PORT" */
	const char *rate;      /* bytes a second that are sent at most; NULL: no limit */
} HubRelaySetup;

/* -EINVAL: that is no place to listen. */
int hub_relay_start(sd_event *event, const HubRelaySetup *setup, const Identity *identity,
		    HubRelay **ret, Error *err);
void hub_relay_stop(HubRelay *relay);

/* The hub has another certificate. */
int hub_relay_renew(HubRelay *relay, const Identity *identity, Error *err);

/* These certificates count no more: an array of texts. */
int hub_relay_revoke(HubRelay *relay, json_object *serials, Error *err);

int hub_relay_port(const HubRelay *relay);
