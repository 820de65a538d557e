/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ninth thing that criu is given, see shim.c: programs whose first executable mapping is
 * shared.
 *
 * To run code in a program, compel pokes a system call into the first mapping that may be executed
 * (find_executable_area() in compel/src/lib/infect.c).  The kernel makes a private copy of a page
 * for that, and there is none of a shared mapping, so it refuses with EIO (check_vma_flags() in
 * mm/gup.c: FOLL_FORCE only for what may be copied on write).  PHP's and others' just-in-time
 * compilers have such mappings, below all the rest.  They are left out of what compel reads.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "criu/next.h"

#define LINE_MAX_SIZE 8192 /* a path, escaped, and the numbers before it */

/* Whether it is /proc/PID/maps that somebody means by the path. */
static bool is_maps(const char *path)
{
	int pid, length = 0;

	return sscanf(path, "/proc/%d/maps%n", &pid, &length) == 1 && length > 0 &&
	       path[length] == '\0';
}

static bool is_shared_code(const char *line)
{
	const char *flags = strchr(line, ' ');

	return flags && strlen(flags) > 4 && flags[3] == 'x' && flags[4] == 's';
}

static FILE *left_open(void)
{
	int fd = memfd_create("maps", MFD_CLOEXEC);
	FILE *left = fd < 0 ? NULL : fdopen(fd, "w+");

	if (fd >= 0 && !left)
		(void)close(fd);
	return left;
}

/* The same without the lines of shared code; NULL: there is no memory for it. */
static FILE *maps_filter(FILE *maps)
{
	FILE *left = left_open();
	char line[LINE_MAX_SIZE];

	while (left && fgets(line, sizeof(line), maps)) {
		if (!is_shared_code(line))
			(void)fputs(line, left);
	}
	if (left && (ferror(maps) || ferror(left) || fflush(left) < 0)) {
		(void)fclose(left);
		left = NULL;
	}
	rewind(left ? left : maps);
	return left;
}

FILE *fopen64(const char *path, const char *mode)
{
	static FILE *(*real)(const char *, const char *);
	FILE *file, *left;

	if (!real)
		next_function("fopen64", &real);
	file = real(path, mode);
	if (!file || !is_maps(path))
		return file;
	left = maps_filter(file);
	if (!left)
		return file;
	(void)fclose(file);
	return left;
}
