/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server side of the FleetLock protocol
 * (https://coreos.github.io/zincati/development/fleetlock/protocol/): machines that restart by
 * themselves ask for a slot first, and give it back when they are up.  They take part under the
 * same limits as rollouts.
 *
 * Its clients show no certificate, so whoever reaches the port can take slots, and nothing else: it
 * is for a network that is trusted that far, and is not served unless it was asked for.
 */
#pragma once

#include "http/server.h"

/* `data` is the Hub. */
void fleetlock_handle(HttpCall *call, void *data);
