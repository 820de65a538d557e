/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/reboot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "swap/bus.h"
#include "swap/kernel.h"
#include "swap/kexec.h"

#define TARGET "kexec.target"

/* As in a swap, a kernel that panics gives way to the firmware and the boot default. */
static int cmdline_make(const Config *config, char **ret, Error *err)
{
	_cleanup_free_ char *base = NULL, *extra = NULL;
	int r = file_read_line(AT_FDCWD, "/proc/cmdline", &base, err);

	if (r < 0)
		return r;
	extra = text_format("%s%s",
			    kexec_cmdline_has(base, "panic") ||
					    kexec_cmdline_has(config->kexec_append, "panic")
				    ? ""
				    : "panic=10 ",
			    config->kexec_append);
	return extra ? kexec_cmdline(base, extra, ret, err)
		     : error_errno(err, -ENOMEM, "Making the command line");
}

static int kernel_load(const Config *config, const Kernel *kernel, Error *err)
{
	_cleanup_free_ char *initrd = text_format("/boot/initrd.img-%s", kernel->version);
	_cleanup_free_ char *cmdline = NULL;
	int r;

	if (!initrd)
		return error_errno(err, -ENOMEM, "Loading kernel %s", kernel->version);
	if (!path_exists(AT_FDCWD, initrd))
		return error_set(
			err, -ENOENT,
			"Kernel %s has no %s to boot with; update-initramfs -c -k %s makes "
			"it",
			kernel->version, initrd, kernel->version);
	r = cmdline_make(config, &cmdline, err);
	return r < 0 ? r : kexec_load(kernel->image, initrd, cmdline, err);
}

static int shutdown_begin(Error *err)
{
	_cleanup_bus_ sd_bus *bus = NULL;
	int r = bus_open(&bus, err);

	/* Nothing that is started meanwhile keeps it from that, as systemctl kexec has it. */
	return r < 0 ? r : bus_unit_queue(bus, TARGET, "replace-irreversibly", err);
}

int reboot_start(const Config *config, const char *version, char **ret_kernel, Error *err)
{
	_cleanup_free_ char *chosen = NULL;
	Kernel kernel = {0};
	int r = kernel_find(NULL, version, &kernel, err);

	if (r < 0)
		return r;
	r = kernel_load(config, &kernel, err);
	if (r == 0 && !(chosen = strdup(kernel.version)))
		r = error_errno(err, -ENOMEM, "Rebooting");
	if (r == 0)
		r = shutdown_begin(err);
	if (r < 0)
		(void)kexec_unload(NULL);
	else
		*ret_kernel = steal_ptr(&chosen);
	kernel_free(&kernel);
	return r;
}
