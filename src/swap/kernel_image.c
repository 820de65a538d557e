/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/kernel_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* The setup header, by offset in the file: Documentation/arch/x86/boot.rst. */
#define SETUP_SECTS    0x1f1
#define SYSSIZE        0x1f4
#define BOOT_FLAG      0x1fe
#define HEADER_MAGIC   0x202
#define BOOT_PROTOCOL  0x206
#define KERNEL_VERSION 0x20e
#define HEADER_END     0x210

#define SECTOR          512U
#define PARAGRAPH       16U
#define VERSION_TEXT    256U
#define PROTOCOL_OLDEST 0x204U /* the first with a syssize of four bytes */

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static int damaged(Error *err, const char *path, const char *how)
{
	return error_set(err, -EBADMSG, "Kernel image %s %s; install the kernel's package again",
			 path, how);
}

static int version_check(int fd, const char *path, const char *version, off_t offset, Error *err)
{
	char text[VERSION_TEXT + 1];
	ssize_t n = pread(fd, text, VERSION_TEXT, offset);

	if (n < 0)
		return error_errno(err, -errno, "Reading kernel image %s", path);
	text[n] = '\0';
	/* "7.3.4+deb13-cloud-amd64 (builder@host) #1 SMP ..." */
	text[strcspn(text, " ")] = '\0';
	if (!text[0])
		return damaged(err, path, "does not say which version it is");
	if (strcmp(text, version) != 0)
		return error_set(err, -EBADMSG,
				 "Kernel image %s is of version %.100s, not %s; install the "
				 "kernel's package again",
				 path, text, version);
	return 0;
}

int kernel_image_check(int dirfd, const char *path, const char *version, Error *err)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	uint8_t header[HEADER_END];
	uint32_t setup, whole;
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return error_errno(err, -errno, "Opening kernel image %s", path);
	if (fstat(fd, &st) < 0)
		return error_errno(err, -errno, "Looking at kernel image %s", path);
	n = pread(fd, header, sizeof(header), 0);
	if (n < 0)
		return error_errno(err, -errno, "Reading kernel image %s", path);
	if (n < (ssize_t)sizeof(header))
		return damaged(err, path, "is cut short");
	if (get16(header + BOOT_FLAG) != 0xaa55 || memcmp(header + HEADER_MAGIC, "HdrS", 4) != 0 ||
	    get16(header + BOOT_PROTOCOL) < PROTOCOL_OLDEST)
		return damaged(err, path, "is not a bzImage");
	/* 0 stands for 4, for the sake of boot loaders older than the field. */
	setup = ((header[SETUP_SECTS] ? header[SETUP_SECTS] : 4U) + 1U) * SECTOR;
	whole = get32(header + SYSSIZE);
	/* A signature may follow, so the file may be larger. */
	if ((uint64_t)st.st_size < setup + (uint64_t)whole * PARAGRAPH)
		return damaged(err, path, "is cut short");
	if (get16(header + KERNEL_VERSION) == 0 || get16(header + KERNEL_VERSION) + SECTOR >= setup)
		return damaged(err, path, "does not say which version it is");
	return version_check(fd, path, version, get16(header + KERNEL_VERSION) + (off_t)SECTOR,
			     err);
}
