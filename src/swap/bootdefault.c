/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/bootdefault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "swap/kernel.h"

#define GRUB_CFG      "/boot/grub/grub.cfg"
#define GRUB_DROPIN   "/etc/default/grub.d/segue.cfg"
#define BOOT_LIMIT_MS 120000

/* Text after `option ` in quotes: menuentry 'Debian' ... $menuentry_id_option 'gnulinux-...' { */
static char *menu_id(const char *line)
{
	const char *at = strstr(line, "$menuentry_id_option '");
	const char *start = at ? at + strlen("$menuentry_id_option '") : NULL;
	const char *end = start ? strchr(start, '\'') : NULL;

	return end ? strndup(start, (size_t)(end - start)) : NULL;
}

char *bootdefault_grub_entry(const char *grub_cfg, const char *version)
{
	_cleanup_free_ char *copy = strdup(grub_cfg),
			    *wanted = text_format("gnulinux-%s-advanced-", version);
	_cleanup_free_ char *submenu = NULL;
	char *rest = copy, *line;

	while (copy && wanted && (line = strsep(&rest, "\n"))) {
		_cleanup_free_ char *id = NULL;

		line += strspn(line, " \t");
		if (!text_has_prefix(line, "menuentry ") && !text_has_prefix(line, "submenu "))
			continue;
		id = menu_id(line);
		if (text_has_prefix(line, "submenu ")) {
			cleanup_free(&submenu);
			submenu = steal_ptr(&id);
		} else if (id && text_has_prefix(id, wanted)) {
			return submenu ? text_format("%s>%s", submenu, id) : steal_ptr(&id);
		}
	}
	return NULL;
}

static bool is_newest(const char *version)
{
	_cleanup_(kernel_free) Kernel newest = {0};

	return kernel_find(NULL, NULL, &newest, NULL) == 0 && strcmp(newest.version, version) == 0;
}

/* GRUB's own default is the first entry, of the newest kernel: where that is the one, nothing is
 * pinned, so that later kernels are booted as ever. */
static int grub_unpin(const char *const update[], bool *ret_done, Error *err)
{
	_cleanup_free_ char *text = NULL;
	int r = 0;

	*ret_done = false;
	if (unlink(GRUB_DROPIN) == 0)
		r = process_run(update, BOOT_LIMIT_MS, NULL, err);
	if (r == 0)
		r = file_read(AT_FDCWD, GRUB_CFG, &text, NULL, err);
	if (r == 0)
		*ret_done = strstr(text, "set default=\"0\"") != NULL;
	return r;
}

static int grub_set(const char *version, Error *err)
{
	const char *const update[] = {"update-grub", NULL};
	_cleanup_free_ char *text = NULL, *entry = NULL, *setting = NULL;
	bool done = false;
	int r = is_newest(version) ? grub_unpin(update, &done, err) : 0;

	if (r < 0 || done)
		return r;
	r = file_read(AT_FDCWD, GRUB_CFG, &text, NULL, err);
	if (r < 0)
		return r;
	entry = bootdefault_grub_entry(text, version);
	if (!entry)
		return error_set(err, -ENOENT, GRUB_CFG " has no entry for %s; run update-grub",
				 version);
	setting = text_format(
		"# Made by segue: the kernel of the last swap.\nGRUB_DEFAULT=\"%s\"\n", entry);
	if (!setting)
		return error_errno(err, -ENOMEM, "Setting GRUB's default");
	r = directory_make(AT_FDCWD, "/etc/default/grub.d", 0755, err);
	if (r == 0)
		r = file_write_atomic(AT_FDCWD, GRUB_DROPIN, setting, strlen(setting), 0644, err);
	return r < 0 ? r : process_run(update, BOOT_LIMIT_MS, NULL, err);
}

static int systemd_boot_set(const char *version, Error *err)
{
	_cleanup_free_ char *machine = NULL, *entry = NULL;
	int r = file_read_line(AT_FDCWD, "/etc/machine-id", &machine, err);

	if (r < 0)
		return r;
	entry = text_format("%s-%s.conf", machine, version);
	if (!entry)
		return error_errno(err, -ENOMEM, "Setting the default of systemd-boot");
	const char *const argv[] = {"bootctl", "set-default", entry, NULL};

	return process_run(argv, BOOT_LIMIT_MS, NULL, err);
}

int bootdefault_set(const char *version, Error *err)
{
	int r = 0;

	if (path_exists(AT_FDCWD, GRUB_CFG))
		r = grub_set(version, err);
	else if (path_exists(AT_FDCWD, "/boot/efi/loader/loader.conf") ||
		 path_exists(AT_FDCWD, "/boot/loader/loader.conf") ||
		 path_exists(AT_FDCWD, "/efi/loader/loader.conf"))
		r = systemd_boot_set(version, err);
	return r < 0 ? error_prefix(err, "Making %s the boot default", version) : 0;
}
