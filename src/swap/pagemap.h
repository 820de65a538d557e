/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRIU's images of a task's private memory: pagemap-PID.img says which pages there are, and
 * pages-N.img has them, in this order.  Pages that have not changed since an earlier round are in
 * the images of that round, in the directory that the link "parent" names.
 *
 * The format is that of images/pagemap.proto, mm.proto and vma.proto of CRIU 4: two words of magic,
 * then messages, each after its size; numbers are little-endian.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

#define MEMORY_PAGE 4096

/* Pages that lie one after the other in memory and in the images. */
typedef struct PageRun {
	uint64_t start, end;        /* addresses */
	const unsigned char *pages; /* mapped from the image */
} PageRun;

/* A mapped file of pages. */
typedef struct PageFile {
	void *map;
	size_t size;
} PageFile;

typedef struct PageMap {
	PageRun *runs; /* ascending, none overlaps */
	size_t n;
	PageFile *files;
	size_t n_files;
} PageMap;

/* Maps those pages of a task that are restored lazily, as marked; from the images in `dirfd` and
 * those of earlier rounds.  -EBADMSG: they are damaged. */
int pagemap_open(int dirfd, pid_t pid, PageMap *ret, Error *err);
void pagemap_close(PageMap *map);

/* criu marks the pages of a capture that may be restored lazily, but of those in earlier rounds it
 * does not, and would read them all before the program runs.  This marks them, for every task that
 * has images in `dirfd`: whole entries in private anonymous memory that is neither locked nor
 * huge, as criu's own rule is (vma_entry_can_be_lazy() in criu/include/vma.h), nor a stack. */
int pagemap_mark_lazy(int dirfd, Error *err);
