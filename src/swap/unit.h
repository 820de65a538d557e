/* SPDX-License-Identifier: Apache-2.0 */
/* Services and scopes, as systemd knows them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

/* What a unit asks of segue: the section [X-Segue] of its unit file, which systemd ignores.  Each
 * is a command line for /bin/sh, or NULL. */
typedef struct UnitOptions {
	char *health_check;
	char *pre_freeze;
	char *post_thaw;
} UnitOptions;

/* A snapshot.  All texts are owned and never NULL, except in `options`; lists end with NULL. */
typedef struct Unit {
	char *id;          /* its own name, not an alias: "redis-server.service" */
	char *object_path; /* on the bus */
	char *load_state, *active_state, *sub_state;
	char *type;          /* of a service: "notify", ...; "" of a scope */
	pid_t main_pid;      /* 0: none */
	char *control_group; /* "/system.slice/redis-server.service"; "" if it has none */
	char *user;          /* "" for root */
	bool dynamic_user;
	char *fragment_path; /* "" if it has no file */
	char **drop_in_paths;
	bool transient;
	char **runtime_directory; /* relative to /run */
	char *invocation_id;      /* 32 hexadecimal digits; "" if it never ran */
	UnitOptions options;
} Unit;

void unit_release(Unit *unit);
#define _cleanup_unit_ _cleanup_(unit_release)

void unit_options_release(UnitOptions *options);

/* The full name: "redis-server" gives "redis-server.service".  -EINVAL if it cannot be the name of
 * a service or scope, or is a template without its instance.  The caller frees. */
int unit_name_normalize(const char *name, char **ret_name, Error *err);

/* Asks systemd.  `name` is normalized first.  -ENOENT: there is no such unit. */
int unit_query(const char *name, Unit *ret, Error *err);

/* -EOPNOTSUPP for what is itself at work in a swap: frozen, it could not be thawed again. */
int unit_require_keepable(const Unit *unit, Error *err);

/* 0 if the unit's processes are up: active, or on the way there; else -ESRCH. */
int unit_require_running(const Unit *unit, Error *err);

/* A property of the unit, or of it as a service or scope ("PrivateUsers", "NoNewPrivileges", ...),
 * as text: booleans are "yes" and "no", numbers decimal, a list of texts has blanks between.
 * -ENOENT: it has none of that name; -EOPNOTSUPP: of another type.  The caller frees. */
int unit_get_property_string(const Unit *unit, const char *property, char **ret_value, Error *err);

/* The section [X-Segue] of a unit file, put on top of what `options` holds: an empty value takes a
 * setting back. */
int unit_options_parse(const char *text, size_t size, const char *name, UnitOptions *options,
		       Error *err);

/*
 * Changes one directive of [Service] in a drop-in (/etc/systemd/system/UNIT.d/50-segue.conf), and
 * makes systemd read it.  What other directives the drop-in sets is kept.  It takes effect when the
 * unit is next started.
 */
int unit_adapt(const Unit *unit, const char *directive, const char *value, Error *err);

/* Takes all of that back, if there is any; the unit need not exist. */
int unit_unadapt(const char *unit, bool *ret_changed, Error *err);
