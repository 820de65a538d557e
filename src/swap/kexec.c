/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/kexec.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define COMMAND_LINE_SIZE 2048 /* arch/x86/include/asm/setup.h, with the NUL */

static long kexec_file_load(int kernel, int initrd, const char *cmdline, unsigned long flags)
{
	return syscall(SYS_kexec_file_load, kernel, initrd, cmdline ? strlen(cmdline) + 1 : 0UL,
		       cmdline, flags);
}

static bool value_is(const char *path, const char *part)
{
	_cleanup_free_ char *text = NULL;

	return file_read_line(AT_FDCWD, path, &text, NULL) == 0 && strstr(text, part);
}

static const char *why_not_permitted(void)
{
	if (geteuid() != 0)
		return "only root may load a kernel; run it as root";
	if (value_is("/proc/sys/kernel/kexec_load_disabled", "1"))
		return "kernel.kexec_load_disabled is set until the next boot; remove it from "
		       "sysctl.d and reboot once";
	if (value_is("/sys/kernel/security/lockdown", "[integrity]") ||
	    value_is("/sys/kernel/security/lockdown", "[confidentiality]"))
		return "the kernel is locked down (/sys/kernel/security/lockdown) and takes only "
		       "signed images; install a signed kernel whose key it trusts";
	return "it is not permitted here; CAP_SYS_BOOT in the initial namespaces is needed";
}

static const char *why_load_failed(int code)
{
	switch (-code) {
	case ENOEXEC:
		return "the image is damaged, or none that this kernel can start; install its "
		       "package again";
	case EKEYREJECTED:
	case ENOKEY:
	case ENODATA:
	case EBADMSG:
	case ELIBBAD:
		return "its signature is missing or is by a key that this kernel does not trust; "
		       "install a signed kernel, or enrol its key";
	case EPERM:
		return why_not_permitted();
	case EBUSY:
		return "another load is in progress, or a crash kernel is being changed; try again";
	case ENOMEM:
	case EADDRNOTAVAIL:
		return "there is not enough free memory below the limit of kexec; free some, or "
		       "use "
		       "a smaller initramfs";
	case EINVAL:
		return "the kernel refuses the arguments: most often the command line is too long";
	case ENOSYS:
		return "this kernel has no kexec_file_load (CONFIG_KEXEC_FILE); boot one that has";
	default:
		return NULL;
	}
}

int kexec_load(const char *image_path, const char *initrd_path, const char *cmdline, Error *err)
{
	_cleanup_close_ int image = open(image_path, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int initrd = -1;
	const char *why;
	int code;

	if (image < 0)
		return error_errno(err, -errno, "Opening kernel image %s", image_path);
	if (initrd_path) {
		initrd = open(initrd_path, O_RDONLY | O_CLOEXEC);
		if (initrd < 0)
			return error_errno(err, -errno, "Opening initramfs %s", initrd_path);
	}
	if (kexec_file_load(image, initrd, cmdline ? cmdline : "",
			    initrd_path ? 0 : KEXEC_FILE_NO_INITRAMFS) == 0)
		return 0;
	code = -errno;
	(void)error_errno(err, code, "Loading kernel %s", image_path);
	why = why_load_failed(code);
	if (why)
		(void)error_hint(err, "%s", why);
	return code;
}

int kexec_unload(Error *err)
{
	int code;

	if (kexec_file_load(-1, -1, NULL, KEXEC_FILE_UNLOAD) == 0)
		return 0;
	code = -errno;
	(void)error_errno(err, code, "Unloading the kernel that was loaded");
	if (code == -EPERM)
		(void)error_hint(err, "%s", why_not_permitted());
	return code;
}

bool kexec_is_loaded(void)
{
	return value_is("/sys/kernel/kexec_loaded", "1");
}

int kexec_jump(Error *err)
{
	/* Not reboot(3), which has no such command in some libcs. */
	(void)syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC,
		      NULL);
	if (errno == EINVAL && !kexec_is_loaded())
		return error_set(err, -EINVAL, "Jumping: no kernel is loaded; load one first");
	return error_errno(err, -errno, "Jumping to the loaded kernel");
}

/* ---- command line ---- */

/* One parameter; not NUL-terminated. */
typedef struct Param {
	const char *text;
	size_t size;
} Param;

/* Finds the next parameter as next_arg() of the kernel's lib/cmdline.c does: quotes keep blanks. */
static bool param_next(const char **rest, Param *ret)
{
	const char *p = *rest;
	bool quoted = false;

	while (isspace((unsigned char)*p))
		p++;
	if (!*p)
		return false;
	ret->text = p;
	for (; *p && (quoted || !isspace((unsigned char)*p)); p++)
		if (*p == '"')
			quoted = !quoted;
	ret->size = (size_t)(p - ret->text);
	*rest = p;
	return true;
}

static size_t key_size(Param p)
{
	const char *equals = memchr(p.text, '=', p.size);

	return equals ? (size_t)(equals - p.text) : p.size;
}

/* Dash and underscore are the same to the kernel: parameq() in kernel/params.c. */
static bool same_text(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((a[i] == '-' ? '_' : a[i]) != (b[i] == '-' ? '_' : b[i]))
			return false;
	return true;
}

static bool key_is(Param p, const char *key)
{
	return key_size(p) == strlen(key) && same_text(p.text, key, strlen(key));
}

/* What follows is for init, not for the kernel. */
static bool is_end(Param p)
{
	return p.size == 2 && memcmp(p.text, "--", 2) == 0;
}

bool kexec_cmdline_has(const char *cmdline, const char *key)
{
	Param p;

	while (param_next(&cmdline, &p) && !is_end(p))
		if (key_is(p, key))
			return true;
	return false;
}

/* Each occurrence counts, so one more does not replace those there are. */
static bool is_repeatable(Param p)
{
	static const char *const keys[] = {"console",
					   "earlycon",
					   "memmap",
					   "mem",
					   "initcall_blacklist",
					   "hugepages",
					   "hugepagesz",
					   "module_blacklist",
					   "modprobe.blacklist",
					   "systemd.setenv",
					   "systemd.wants"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (key_is(p, keys[i]))
			return true;
	return false;
}

/* Of the boot loader, of another initramfs, or of an earlier swap.  rdinit= would have the kernel
 * pass over segue-init, which is /init. */
static bool is_foreign(Param p)
{
	static const char *const prefixes[] = {"rd.", "segue."};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t n = strlen(prefixes[i]);

		if (p.size >= n && memcmp(p.text, prefixes[i], n) == 0)
			return true;
	}
	return key_is(p, "BOOT_IMAGE") || key_is(p, "initrd") || key_is(p, "rdinit") ||
	       key_is(p, "kexec_jump_back_entry");
}

static bool is_replaced(Param p, const char *extra)
{
	Param e;

	while (param_next(&extra, &e)) {
		if (p.size == e.size && memcmp(p.text, e.text, p.size) == 0)
			return true;
		if (!is_repeatable(p) && key_size(p) == key_size(e) &&
		    same_text(p.text, e.text, key_size(p)))
			return true;
	}
	return false;
}

static char *append(char *out, const char *start, const char *text, size_t size)
{
	if (out != start)
		*out++ = ' ';
	memcpy(out, text, size);
	return out + size;
}

int kexec_cmdline(const char *base, const char *extra, char **ret, Error *err)
{
	_cleanup_free_ char *line = malloc(strlen(base) + (extra ? strlen(extra) : 0) + 3);
	const char *rest = base;
	char *out = line;
	Param p, e;

	if (!line)
		return error_errno(err, -ENOMEM, "Making the command line");
	if (!extra)
		extra = "";
	while (param_next(&rest, &p)) {
		if (is_end(p)) {
			rest = p.text;
			break;
		}
		if (!is_foreign(p) && !is_replaced(p, extra))
			out = append(out, line, p.text, p.size);
	}
	while (param_next(&extra, &e))
		out = append(out, line, e.text, e.size);
	while (param_next(&rest, &p))
		out = append(out, line, p.text, p.size);
	*out = '\0';
	if (strlen(line) >= COMMAND_LINE_SIZE)
		return error_set(err, -E2BIG,
				 "The next kernel's command line would have %zu bytes and may have "
				 "%d; shorten that of this boot",
				 strlen(line), COMMAND_LINE_SIZE - 1);
	*ret = steal_ptr(&line);
	return 0;
}

static bool is_one_of(Param p, const char *const keys[])
{
	for (; *keys; keys++)
		if (key_is(p, *keys))
			return true;
	return false;
}

int kexec_cmdline_without(const char *cmdline, const char *const keys[], char **ret, Error *err)
{
	_cleanup_free_ char *line = malloc(strlen(cmdline) + 1);
	bool for_init = false;
	char *out = line;
	Param p;

	if (!line)
		return error_errno(err, -ENOMEM, "Making the command line");
	while (param_next(&cmdline, &p)) {
		for_init = for_init || is_end(p);
		if (for_init || !is_one_of(p, keys))
			out = append(out, line, p.text, p.size);
	}
	*out = '\0';
	*ret = steal_ptr(&line);
	return 0;
}
