/* SPDX-License-Identifier: Apache-2.0 */
/* The directories behind PrivateTmp=: /tmp/systemd-private-BOOTID-UNIT-XXXXXX/tmp, likewise below
 * /var/tmp. */
#pragma once

#include <json-c/json.h>
#include <stdint.h>

#include "base/error.h"

/*
 * systemd-tmpfiles removes systemd-private-* at each boot (tmpfiles.d/tmp.conf, "R!"), while the
 * kept unit's /tmp is mounted from there.  Renames those that the mounts come from to
 * segue-private-*, and changes "from" accordingly.  Does nothing where that has been done, be it by
 * a restore of the same capture that the machine did not outlive.  `number`, a random one that only
 * the capture has, is part of the new names, so that nobody can have made something of them.
 */
int private_directories_settle(json_object *mounts, int64_t number, Error *err);

/* Gives them their old names again, by which the captures know them: after a failed restore, when
 * nothing uses them any more.  What is not possible is left. */
void private_directories_return(void);
