/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/ini.h"
#include "swap/bus.h"
#include "swap/unit.h"

static const struct {
	const char *key;
	size_t offset;
} option_keys[] = {
	{"HealthCheck", offsetof(UnitOptions, health_check)},
	{"PreFreeze", offsetof(UnitOptions, pre_freeze)},
	{"PostThaw", offsetof(UnitOptions, post_thaw)},
};

static int options_assign(const char *section, const char *key, const char *value, void *data,
			  Error *err)
{
	if (strcmp(section, "X-Segue") != 0)
		return 0;
	for (size_t i = 0; i < sizeof(option_keys) / sizeof(*option_keys); i++) {
		char **option = (char **)((char *)data + option_keys[i].offset);

		if (strcmp(key, option_keys[i].key) != 0)
			continue;
		free(*option);
		*option = *value ? strdup(value) : NULL;
		if (*value && !*option)
			return error_errno(err, -ENOMEM, "%s=", key);
		return 0;
	}
	return error_set(err, -EINVAL,
			 "%s= is not known in [X-Segue]; there are HealthCheck=, PreFreeze= and "
			 "PostThaw=",
			 key);
}

int unit_options_parse(const char *text, size_t size, const char *name, UnitOptions *options,
		       Error *err)
{
	return ini_parse(text, size, name, INI_LENIENT, options_assign, options, err);
}

typedef struct DropIn {
	FILE *out;
	const char *directive;
} DropIn;

/* Copies the assignments of a drop-in except the directive that is to change. */
static int drop_in_copy(const char *section, const char *key, const char *value, void *data,
			Error *err)
{
	DropIn *drop_in = data;

	if (!strcmp(section, "Service") && strcmp(key, drop_in->directive) != 0)
		(void)fprintf(drop_in->out, "%s=%s\n", key, value);
	return 0;
}

#define ADAPT_HEADER                                                                               \
	"# Written by \"segue keep --adapt\": what cannot be carried onto another kernel.\n"

static int drop_in_text(const char *path, const char *directive, const char *value, char **ret_text,
			Error *err)
{
	_cleanup_free_ char *before = NULL;
	_cleanup_fclose_ FILE *out = NULL;
	DropIn drop_in = {.directive = directive};
	char *text = NULL;
	size_t size = 0, before_size = 0;
	int r = file_read(AT_FDCWD, path, &before, &before_size, err);

	if (r < 0 && r != -ENOENT)
		return r;
	if (before && !text_has_prefix(before, ADAPT_HEADER))
		return error_set(err, -EEXIST,
				 "%s is not segue's own; give it another name, or set %s=%s in it",
				 path, directive, value);
	out = open_memstream(&text, &size);
	if (!out)
		return error_errno(err, -ENOMEM, "Writing %s", path);
	drop_in.out = out;
	(void)fputs(ADAPT_HEADER "[Service]\n", out);
	r = before ? ini_parse(before, before_size, path, INI_LENIENT, drop_in_copy, &drop_in, err)
		   : 0;
	(void)fprintf(out, "%s=%s\n", directive, value);
	(void)fclose(steal_ptr(&out));
	if (r < 0 || !text) {
		free(text);
		return r < 0 ? r : error_errno(err, -ENOMEM, "Writing %s", path);
	}
	*ret_text = text;
	return 0;
}

int unit_adapt(const Unit *unit, const char *directive, const char *value, Error *err)
{
	_cleanup_free_ char *directory = text_format("/etc/systemd/system/%s.d", unit->id);
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *text = NULL;
	_cleanup_bus_ sd_bus *bus = NULL;
	int r;

	if (unit->transient)
		return error_set(err, -EOPNOTSUPP,
				 "%s is transient, so it has no file to change; start it anew "
				 "without %s=",
				 unit->id, directive);
	path = text_format("%s/50-segue.conf", directory ? directory : "");
	if (!directory || !path)
		return error_errno(err, -ENOMEM, "Adapting %s", unit->id);
	if ((r = directory_make(AT_FDCWD, directory, 0755, err)) < 0 ||
	    (r = drop_in_text(path, directive, value, &text, err)) < 0 ||
	    (r = file_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, err)) < 0 ||
	    (r = bus_open(&bus, err)) < 0 || (r = bus_daemon_reload(bus, err)) < 0)
		return error_prefix(err, "Adapting %s", unit->id);
	return 0;
}

int unit_unadapt(const char *unit, bool *ret_changed, Error *err)
{
	_cleanup_free_ char *directory = text_format("/etc/systemd/system/%s.d", unit);
	_cleanup_free_ char *path = text_format("/etc/systemd/system/%s.d/50-segue.conf", unit);
	_cleanup_free_ char *text = NULL;
	_cleanup_bus_ sd_bus *bus = NULL;
	int r;

	*ret_changed = false;
	if (!directory || !path)
		return error_errno(err, -ENOMEM, "Adapting %s no longer", unit);
	r = file_read(AT_FDCWD, path, &text, NULL, err);
	if (r == -ENOENT || (r == 0 && !text_has_prefix(text, ADAPT_HEADER)))
		return 0;
	if (r == 0 && unlink(path) < 0)
		r = error_errno(err, -errno, "Removing %s", path);
	if (r < 0)
		return r;
	*ret_changed = true;
	(void)rmdir(directory);
	r = bus_open(&bus, err);
	return r < 0 ? r : bus_daemon_reload(bus, err);
}
