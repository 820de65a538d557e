/* SPDX-License-Identifier: Apache-2.0 */
/* The half of adopt.h that is linked into segue-init. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "swap/adopt.h"

#define RUNTIME_UNITS   "/run/systemd/system"
#define TRANSIENT_UNITS "/run/systemd/transient"

/* Type=notify whatever the unit has: the only type for which somebody else can say which process is
 * the main one.  "+": the helper runs outside the sandbox, which may forbid it.  What a start would
 * depend on is left aside, for the program runs already; and if the start fails all the same it is
 * not to be killed for that, nor is it to fail because the program runs, which it would with
 * SendSIGKILL=no as MariaDB has it (service_start() in systemd's src/core/service.c).
 * KillMode=process sees to both: the one process that a failed start kills is the helper.
 * (KillMode=none would, too, but systemd warns of it.) */
static const char dropin_format[] = "# Made by segue: adopts the processes that came across the "
				    "swap.  Removed when that is done.\n"
				    "[Unit]\n"
				    "StartLimitIntervalSec=0\n"
				    "ConditionPathExists=\n"
				    "AssertPathExists=\n"
				    "[Service]\n"
				    "Type=notify\n"
				    "NotifyAccess=all\n"
				    "KillMode=process\n"
				    "Restart=no\n"
				    "PIDFile=\n"
				    "ExecCondition=\n"
				    "ExecStartPre=\n"
				    "ExecStart=\n"
				    "ExecStart=+/usr/bin/systemd-notify --ready --pid=%lld%s%s%s\n"
				    "ExecStartPost=\n"
				    "TimeoutStartSec=60\n";

/* For a double-quoted word of ExecStart= (systemd.service(5), COMMAND LINES). */
static char *status_quote(const char *status)
{
	char *quoted = malloc(strlen(status) * 2 + 1), *out = quoted;

	for (const char *in = status; quoted && *in; in++) {
		if (*in == '%' || *in == '$')
			*out++ = *in;
		else if (*in == '"' || *in == '\\')
			*out++ = '\\';
		if ((unsigned char)*in >= ' ')
			*out++ = *in;
	}
	if (quoted)
		*out = '\0';
	return quoted;
}

/* systemd removes the file of a transient unit that it has loaded and does not run (unit_free() in
 * src/core/unit.c), as it would the moment that somebody asks for the unit.  In the boot after a
 * swap it is an ordinary run-time unit. */
static int transient_settle(const char *unit, Error *err)
{
	static const char *const suffixes[] = {"", ".d"};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		_cleanup_free_ char *from = text_format(TRANSIENT_UNITS "/%s%s", unit, suffixes[i]);
		_cleanup_free_ char *to = text_format(RUNTIME_UNITS "/%s%s", unit, suffixes[i]);

		if (!from || !to)
			return error_errno(err, -ENOMEM, "Preparing the adoption of %s", unit);
		if (rename(from, to) < 0 && errno != ENOENT)
			return error_errno(err, -errno, "Moving %s", from);
	}
	return 0;
}

static int service_prepare(const char *unit, long long main_pid, const char *status, Error *err)
{
	_cleanup_free_ char *quoted = status_quote(status);
	_cleanup_free_ char *directory = text_format(RUNTIME_UNITS "/%s.d", unit);
	_cleanup_free_ char *path = text_format(RUNTIME_UNITS "/%s.d/" ADOPT_DROPIN, unit);
	_cleanup_free_ char *text =
		text_format(dropin_format, main_pid, *status ? " \"--status=" : "",
			    quoted ? quoted : "", *status ? "\"" : "");
	int r;

	if (!directory || !path || !text)
		return error_errno(err, -ENOMEM, "Preparing the adoption of %s", unit);
	r = directory_make(AT_FDCWD, RUNTIME_UNITS, 0755, err);
	if (r == 0)
		r = transient_settle(unit, err);
	if (r == 0)
		r = directory_make(AT_FDCWD, directory, 0755, err);
	if (r == 0)
		r = file_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, err);
	return r;
}

int adopt_prepare(json_object *units, Error *err)
{
	for (size_t i = 0; i < json_length(units); i++) {
		json_object *u = json_object_array_get_idx(units, i);
		const char *name;
		int r = json_get_string(u, "unit", &name, err);

		if (r < 0)
			return r;
		if (strcmp(json_opt_string(u, "kind", ""), "service") != 0)
			continue;
		r = service_prepare(name, (long long)json_opt_int(u, "main_pid", 0),
				    json_opt_string(u, "status", ""), err);
		if (r < 0)
			return r;
	}
	return 0;
}
