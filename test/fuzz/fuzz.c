/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

char *fuzz_text(const uint8_t *bytes, size_t size)
{
	char *text = calloc(1, size + 1);

	require(text);
	if (size > 0)
		memcpy(text, bytes, size);
	return text;
}

static char directory[] = "/dev/shm/segue-fuzz-XXXXXX";

static void directory_end(void)
{
	(void)directory_remove(AT_FDCWD, directory, NULL);
}

int fuzz_directory(void)
{
	static int fd = -1;

	if (fd < 0) {
		require(mkdtemp(directory));
		fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		require(fd >= 0 && atexit(directory_end) == 0);
	}
	return fd;
}

void fuzz_file(const char *name, const uint8_t *bytes, size_t size)
{
	int fd = openat(fuzz_directory(), name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	require(fd >= 0 && file_write_all(fd, bytes, size, NULL) == 0);
	(void)close(fd);
}

const uint8_t *fuzz_part(const uint8_t **bytes, size_t *size, size_t *ret_size)
{
	const uint8_t *part = *bytes, *end = *size > 0 ? memchr(part, 0xff, *size) : NULL;

	*ret_size = end ? (size_t)(end - part) : *size;
	*bytes += *ret_size + (end ? 1 : 0);
	*size -= *ret_size + (end ? 1 : 0);
	return part;
}
