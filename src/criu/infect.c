/* SPDX-License-Identifier: Apache-2.0 */
#include "criu/infect.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_SIZE 8192 /* a path, escaped, and the numbers before it */
#define PAGE      4096 /* what criu overwrites is at the beginning of a mapping, and less */

/* One program: where criu means to write, and where it does. */
typedef struct Infection {
	pid_t pid;
	unsigned long from, to; /* `to` 0: as criu says */
	unsigned long original; /* the first word there */
	bool is_known;          /* the word before is */
	bool is_changed;        /* criu's code is there */
} Infection;

static Infection *infections;
static size_t n_infections;

typedef struct Mapping {
	unsigned long begin;
	bool executable, shared, named_by_kernel;
} Mapping;

static bool mapping_parse(const char *line, Mapping *ret)
{
	char flags[5];
	int name = 0;

	*ret = (Mapping){0};
	if (sscanf(line, "%lx-%*x %4s %*s %*s %*s %n", &ret->begin, flags, &name) != 2)
		return false;
	ret->executable = flags[2] == 'x';
	ret->shared = flags[3] == 's';
	ret->named_by_kernel = name > 0 && line[name] == '[';
	return true;
}

/* criu means the first executable mapping. */
static void infection_place(Infection *infection)
{
	char path[32], line[LINE_SIZE];
	bool is_placed = false;
	Mapping mapping;
	FILE *maps;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)infection->pid);
	maps = fopen(path, "re");
	while (maps && !is_placed && fgets(line, sizeof(line), maps)) {
		if (!mapping_parse(line, &mapping) || !mapping.executable ||
		    mapping.named_by_kernel)
			continue;
		if (!infection->from)
			infection->from = mapping.begin;
		if (!mapping.shared)
			infection->to = mapping.begin;
		is_placed = !mapping.shared;
	}
	if (maps)
		(void)fclose(maps);
	if (infection->to == infection->from)
		infection->to = 0;
}

static Infection *infection_find(pid_t pid)
{
	for (size_t i = 0; i < n_infections; i++) {
		if (infections[i].pid == pid)
			return &infections[i];
	}
	return NULL;
}

static Infection *infection_add(pid_t pid)
{
	Infection *more = realloc(infections, (n_infections + 1) * sizeof(*more));

	if (!more)
		return NULL;
	infections = more;
	more[n_infections] = (Infection){.pid = pid};
	infection_place(&more[n_infections]);
	return &more[n_infections++];
}

static bool is_inside(const Infection *infection, unsigned long address)
{
	return infection->to && address >= infection->from && address - infection->from < PAGE;
}

/* criu reads what it is going to overwrite, so it asks for it here first. */
unsigned long infect_read(pid_t pid, unsigned long address)
{
	Infection *infection = infection_find(pid);

	if (!infection)
		infection = infection_add(pid);
	return infection && is_inside(infection, address)
		       ? address - infection->from + infection->to
		       : address;
}

void infect_has_read(pid_t pid, unsigned long address, unsigned long word)
{
	Infection *infection = infection_find(pid);

	if (!infection || infection->is_known || address != infection->from)
		return;
	infection->original = word;
	infection->is_known = true;
}

unsigned long infect_write(pid_t pid, unsigned long address, unsigned long word)
{
	Infection *infection = infection_find(pid);

	if (!infection || !is_inside(infection, address))
		return address;
	if (address == infection->from)
		infection->is_changed = infection->is_known && word != infection->original;
	return address - infection->from + infection->to;
}

unsigned long infect_jump(pid_t pid, unsigned long address)
{
	const Infection *infection = infection_find(pid);

	return infection && infection->is_changed && address == infection->from ? infection->to
										: address;
}
