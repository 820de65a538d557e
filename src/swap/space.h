/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address spaces with pages missing, and where these pages are: what the server of lazy.h works on.
 * Each space has a userfaultfd with the events of fork, mremap, munmap and madvise.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "swap/pagemap.h"

typedef struct Space {
	int uffd;
	PageRun *missing; /* ascending, none overlaps; of the present addresses */
	size_t n, room;
} Space;

typedef struct Spaces {
	Space *spaces;
	size_t n;
} Spaces;

void spaces_free(Spaces *spaces);

/* Adds a space in which all pages of `map` are missing; `uffd` is its own from now on, also on
 * failure.  What the runs of `map` refer to must stay mapped. */
int spaces_add(Spaces *spaces, int uffd, const PageMap *map, Error *err);

/* Bytes that are missing, in all of them. */
uint64_t spaces_missing(const Spaces *spaces);

/* Reads one event of space `i` and does what it asks for.  A process that forks makes another
 * space, whose userfaultfd is given to `forked`, too, which returns 0 or a negative errno. */
int spaces_event(Spaces *spaces, size_t i, int (*forked)(int uffd, void *userdata), void *userdata,
		 Error *err);

/* Copies some of what is missing anywhere. */
int spaces_bring(Spaces *spaces, Error *err);
