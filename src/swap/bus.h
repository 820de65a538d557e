/* SPDX-License-Identifier: Apache-2.0 */
/* Asking systemd over D-Bus. */
#pragma once

#include <systemd/sd-bus.h>

#include "base/cleanup.h"
#include "base/error.h"

#define BUS_SYSTEMD           "org.freedesktop.systemd1"
#define BUS_SYSTEMD_PATH      "/org/freedesktop/systemd1"
#define BUS_SYSTEMD_MANAGER   "org.freedesktop.systemd1.Manager"
#define BUS_SYSTEMD_UNIT      "org.freedesktop.systemd1.Unit"
#define BUS_SYSTEMD_NOT_FOUND "org.freedesktop.systemd1.NoSuchUnit"

#define _cleanup_bus_     _cleanup_(sd_bus_flush_close_unrefp)
#define _cleanup_message_ _cleanup_(sd_bus_message_unrefp)

static inline void cleanup_bus_error(sd_bus_error *error)
{
	sd_bus_error_free(error);
}
#define _cleanup_bus_error_ _cleanup_(cleanup_bus_error)

/*
 * Opens a connection of the caller's own to systemd: its private socket, which works without and
 * while stopping the message bus, else the system bus.
 */
int bus_open(sd_bus **ret, Error *err);

/* Sets the error of a failed call: what the bus said about it, else what `code` means. */
int bus_error_set(Error *err, int code, const sd_bus_error *error, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Sends a call whose reply is the path of a job, and waits until systemd is through with that job.
 * -EPROTO if the job failed.  The connection must not be used for anything else meanwhile.  A call
 * that is refused is told by `ret_error`, if given. */
int bus_call_job(sd_bus *bus, sd_bus_message *call, const char *what, sd_bus_error *ret_error,
		 Error *err);

/* Starts a unit (`mode`: "replace", "isolate") and waits until that is done. */
int bus_unit_start(sd_bus *bus, const char *unit, const char *mode, Error *err);

/* As that, and does not wait. */
int bus_unit_queue(sd_bus *bus, const char *unit, const char *mode, Error *err);

/* The manager's version, "257.13-1~deb13u1"; the caller frees it. */
int bus_systemd_version(sd_bus *bus, char **ret, Error *err);

/* systemctl daemon-reload. */
int bus_daemon_reload(sd_bus *bus, Error *err);
