/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hold: the packet filter that keeps the kernel silent towards kept
 * connections until their sockets exist again.
 *
 * While it is raised, of IPv4 and IPv6 nothing comes in and nothing goes out,
 * so no reset, no "port unreachable", no retransmission and no keepalive probe
 * reaches a peer.  Two things pass: the loopback interface, without which CRIU
 * hangs, and IPv6 neighbour discovery, which like ARP (not filtered here) keeps
 * neighbours resolved.  It is for the network namespace of the caller.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/*
 * What the kernel has to load for it, NULL-terminated.  In Debian's 6.12 and
 * 7.3 kernels nf_tables.ko holds all of it (the inet family, filter chains, and
 * the meta, cmp, payload and immediate expressions), and depends on nfnetlink,
 * a module in 6.12 and built in from 7.x on, and in 6.12 on libcrc32c.
 */
extern const char *const hold_module_aliases[];

/* Raised afterwards, whatever was there before: one transaction of the kernel's, so that there is
 * no moment with half a hold.  -EPROTONOSUPPORT, -EOPNOTSUPP: the modules are not loaded. */
int hold_raise(Error *err);

/* The same for what comes in, while programs still run: what they have to say still gets out.  A
 * response that the hold kept back would be sent again by the next kernel only when its timer for
 * that, of one second and more, has run out, and the peer would have nothing to send that could be
 * hastened, see peers.h. */
int hold_raise_input(Error *err);

/* Lowered afterwards; no error if it was not raised. */
int hold_lower(Error *err);

/* False also if the kernel cannot say, having no nf_tables. */
bool hold_is_raised(void);

/* Waits for the connections that were made before to be accepted by their programs, as long as
 * those take from their queues, at most a fraction of a second.  The hold keeps new ones out. */
void hold_drain(void);
