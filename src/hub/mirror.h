/* SPDX-License-Identifier: Apache-2.0 */
/* The releases of the leading hub, in one that follows it: so that nothing has to be brought when
 * it leads.  A process does it, one release after the other, and looks at every byte. */
#pragma once

#include <systemd/sd-event.h>

#include "hub/catalog.h"

typedef struct Mirror Mirror;

/* `directory`: of the hub, whose relay's files say who it is. */
int mirror_open(sd_event *event, Catalog *catalog, const char *directory, Mirror **ret, Error *err);
void mirror_close(Mirror *mirror);

/* Takes what the hub at this HOST:PORT has and this one has not, and removes what it has no more;
 * nothing while that is being done. */
void mirror_look(Mirror *mirror, const char *leader);
