/* SPDX-License-Identifier: Apache-2.0 */
#include "store/placement.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "store/region.h"

#define MIB        ((uint64_t)1 << 20)
#define LEAST      (256 * MIB) /* of a place */
#define TOP_MARGIN (256 * MIB) /* kernel, initramfs, and what they grow to while unpacked */
#define RANGES_MAX 128

typedef struct Range {
	uint64_t start, end;
} Range;

typedef struct Memory {
	Range ranges[RANGES_MAX]; /* ascending */
	size_t n;
	uint64_t total;
} Memory;

/* ---- /proc/iomem ---- */

/* A top-level line of memory: that of the system, or the region that there is. */
static bool line_parse(const char *line, Range *ret)
{
	unsigned long long start, end;
	char *rest;

	if (!isxdigit((unsigned char)*line))
		return false;
	start = strtoull(line, &rest, 16);
	if (*rest != '-')
		return false;
	end = strtoull(rest + 1, &rest, 16);
	if ((strcmp(rest, " : System RAM") != 0 &&
	     strcmp(rest, " : Persistent Memory (legacy)") != 0) ||
	    end < start)
		return false;
	*ret = (Range){start, end + 1};
	return true;
}

static int memory_parse(const char *iomem, Memory *ret, Error *err)
{
	_cleanup_free_ char *copy = strdup(iomem);
	char *rest = copy, *line;
	Memory memory = {0};

	while (copy && (line = strsep(&rest, "\n"))) {
		Range range;

		if (!line_parse(line, &range))
			continue;
		memory.total += range.end - range.start;
		if (memory.n > 0 && memory.ranges[memory.n - 1].end == range.start)
			memory.ranges[memory.n - 1].end = range.end;
		else if (memory.n < RANGES_MAX)
			memory.ranges[memory.n++] = range;
	}
	if (!copy)
		return error_errno(err, -ENOMEM, "Reading the map of memory");
	/* Whoever is not root reads zeros. */
	if (memory.total <= LEAST)
		return error_set(err, -EBADMSG, "/proc/iomem tells of no memory; read it as root");
	*ret = memory;
	return 0;
}

/* ---- places ---- */

uint64_t placement_round(uint64_t size, uint64_t block)
{
	return (size + block - 1) / block * block + REGION_HEAD;
}

uint64_t placement_size(uint64_t need, uint64_t block)
{
	/* ext4 takes less than a sixteenth, and what programs need changes. */
	return placement_round(need / 15 * 16 + need / 4, block);
}

static uint64_t range_usable_end(const Memory *memory, size_t i)
{
	return memory->ranges[i].end - (i + 1 == memory->n ? TOP_MARGIN : 0);
}

static int size_check(const Memory *memory, uint64_t size, Error *err)
{
	if (size <= memory->total / 2)
		return 0;
	return error_set(
		err, -ENOSPC,
		"A region of %llu MiB would be more than half of the memory, which is %llu",
		(unsigned long long)(size / MIB), (unsigned long long)(memory->total / MIB));
}

static int no_place(uint64_t size, Error *err)
{
	return error_set(err, -ENOSPC, "No place in memory is free for a region of %llu MiB",
			 (unsigned long long)(size / MIB));
}

int placement_choose(const char *iomem, uint64_t size, uint64_t block, Placement *ret, Error *err)
{
	Memory memory;
	int r = memory_parse(iomem, &memory, err);

	if (r == 0)
		r = size_check(&memory, size, err);
	if (r < 0)
		return r;
	for (size_t i = memory.n; i-- > 0;) {
		uint64_t end = range_usable_end(&memory, i), start;

		if (end < LEAST + size + block || end < memory.ranges[i].start)
			continue;
		/* So that what follows the head is whole blocks. */
		start = (end - size + REGION_HEAD) / block * block - REGION_HEAD;
		if (start < memory.ranges[i].start || start < LEAST)
			continue;
		*ret = (Placement){start, size};
		return 0;
	}
	return no_place(size, err);
}

int placement_check(const char *iomem, Placement placement, Error *err)
{
	Memory memory;
	int r = memory_parse(iomem, &memory, err);

	if (r == 0)
		r = size_check(&memory, placement.size, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < memory.n; i++)
		if (placement.start >= memory.ranges[i].start &&
		    placement.start + placement.size <= range_usable_end(&memory, i))
			return 0;
	return no_place(placement.size, err);
}

/* ---- command line ---- */

/* As memparse() of the kernel's lib/cmdline.c. */
static uint64_t number_parse(const char *text, char **ret_rest)
{
	static const char units[] = "KMGT";
	uint64_t value = strtoull(text, ret_rest, 0);
	const char *unit = **ret_rest ? strchr(units, toupper((unsigned char)**ret_rest)) : NULL;

	if (!unit)
		return value;
	(*ret_rest)++;
	return value << (10 * (unit - units + 1));
}

static bool memmap_is(const char *word, Placement placement)
{
	char *rest;
	uint64_t size = number_parse(word + strlen("memmap="), &rest);

	return *rest == '!' && size == placement.size &&
	       number_parse(rest + 1, &rest) == placement.start && *rest == '\0';
}

int placement_cmdline(const char *cmdline, Placement old, Placement placement, char **ret,
		      Error *err)
{
	_cleanup_free_ char *copy = strdup(cmdline);
	_cleanup_free_ char *line =
		text_format("memmap=%lluM!%lluM", (unsigned long long)(placement.size / MIB),
			    (unsigned long long)(placement.start / MIB));
	char *rest = copy, *word;

	while (copy && line && (word = strsep(&rest, " "))) {
		bool is_memmap = text_has_prefix(word, "memmap=");
		char *longer;

		if (is_memmap && memmap_is(word, old))
			continue;
		if (is_memmap && strchr(word, '!'))
			return error_set(err, -EEXIST,
					 "The command line has %s, which is not known to be "
					 "segue's; remove it, or set ReserveRam=no",
					 word);
		longer = text_format("%s %s", line, word);
		free(line);
		line = longer;
	}
	if (!copy || !line)
		return error_errno(err, -ENOMEM, "Making the command line");
	*ret = steal_ptr(&line);
	return 0;
}
