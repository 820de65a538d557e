/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/space.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* With a page that is waited for come those after it; in between, as much as does not keep the next
 * one waiting for long. */
#define FAULT_BYTES ((uint64_t)64 << 10)
#define BRING_BYTES ((uint64_t)256 << 10)

void spaces_free(Spaces *spaces)
{
	for (size_t i = 0; i < spaces->n; i++) {
		free(spaces->spaces[i].missing);
		(void)close(spaces->spaces[i].uffd);
	}
	free(spaces->spaces);
	*spaces = (Spaces){0};
}

uint64_t spaces_missing(const Spaces *spaces)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < spaces->n; i++)
		for (size_t j = 0; j < spaces->spaces[i].n; j++)
			bytes += spaces->spaces[i].missing[j].end -
				 spaces->spaces[i].missing[j].start;
	return bytes;
}

/* ---- ranges ---- */

/* The first that ends after `address`. */
static size_t range_at(const Space *space, uint64_t address)
{
	size_t low = 0, high = space->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (space->missing[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int range_insert(Space *space, size_t i, PageRun run)
{
	if (space->n == space->room) {
		size_t room = space->room * 2 + 64;
		PageRun *more = realloc(space->missing, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		space->missing = more;
		space->room = room;
	}
	memmove(&space->missing[i + 1], &space->missing[i], (space->n - i) * sizeof(PageRun));
	space->missing[i] = run;
	space->n++;
	return 0;
}

static void ranges_remove(Space *space, size_t i, size_t count)
{
	memmove(&space->missing[i], &space->missing[i + count],
		(space->n - i - count) * sizeof(PageRun));
	space->n -= count;
}

/* Makes `address` an end of whatever range it is within. */
static int range_split(Space *space, uint64_t address)
{
	size_t i = range_at(space, address);
	PageRun upper;

	if (i == space->n || space->missing[i].start >= address)
		return 0;
	upper = space->missing[i];
	upper.pages += address - upper.start;
	upper.start = address;
	space->missing[i].end = address;
	return range_insert(space, i + 1, upper);
}

/* From here on these are the ranges from *ret_first, *ret_count of them, and no other is. */
static int ranges_cut(Space *space, uint64_t start, uint64_t end, size_t *ret_first,
		      size_t *ret_count)
{
	int r = range_split(space, start);

	if (r == 0)
		r = range_split(space, end);
	*ret_first = range_at(space, start);
	*ret_count = range_at(space, end) - *ret_first;
	return r;
}

static int ranges_drop(Space *space, uint64_t start, uint64_t end)
{
	size_t first, count;
	int r = ranges_cut(space, start, end, &first, &count);

	if (r == 0)
		ranges_remove(space, first, count);
	return r;
}

/* mremap(): what is missing is missing at its new place. */
static int ranges_move(Space *space, uint64_t from, uint64_t to, uint64_t size)
{
	size_t first, count, at;
	PageRun *moved;
	int r = ranges_cut(space, from, from + size, &first, &count);

	if (r < 0 || count == 0)
		return r;
	moved = malloc(count * sizeof(*moved));
	if (!moved)
		return -ENOMEM;
	memcpy(moved, &space->missing[first], count * sizeof(*moved));
	ranges_remove(space, first, count);
	r = ranges_drop(space, to, to + size);
	at = range_at(space, to);
	for (size_t i = 0; r == 0 && i < count; i++) {
		moved[i].start = moved[i].start - from + to;
		moved[i].end = moved[i].end - from + to;
		r = range_insert(space, at + i, moved[i]);
	}
	free(moved);
	return r;
}

/* ---- spaces ---- */

static int space_add(Spaces *spaces, int uffd, const PageRun *runs, size_t n, Error *err)
{
	Space *more = realloc(spaces->spaces, (spaces->n + 1) * sizeof(*more));
	PageRun *missing = malloc((n + 1) * sizeof(*missing));

	if (more)
		spaces->spaces = more;
	if (!more || !missing) {
		free(missing);
		(void)close(uffd);
		return error_errno(err, -ENOMEM, "Adding an address space");
	}
	if (n > 0)
		memcpy(missing, runs, n * sizeof(*missing));
	more[spaces->n++] = (Space){.uffd = uffd, .missing = missing, .n = n, .room = n + 1};
	return 0;
}

int spaces_add(Spaces *spaces, int uffd, const PageMap *map, Error *err)
{
	return space_add(spaces, uffd, map->runs, map->n, err);
}

/* ---- copying ---- */

/* What became of a request to put pages into a space. */
typedef enum Put {
	PUT_DONE,  /* *ret_size of it */
	PUT_GONE,  /* the process has ended */
	PUT_AGAIN, /* an event is to be read first */
	PUT_FAILED /* errno */
} Put;

/* A page that is there is not put again, nor one whose memory is not mapped any more: both count as
 * done.  mfill_atomic() in the kernel's mm/userfaultfd.c has the errors. */
static Put put_result(int failure, int64_t done, uint64_t *ret_size)
{
	*ret_size = done > 0 ? (uint64_t)done : 0;
	if (!failure || done > 0)
		return PUT_DONE;
	switch (failure) {
	case EEXIST:
	case ENOENT:
		*ret_size = MEMORY_PAGE;
		return PUT_DONE;
	case EAGAIN:
		return PUT_AGAIN;
	case ESRCH:
	case ENOSPC:
		return PUT_GONE;
	default:
		return PUT_FAILED;
	}
}

/* 0, or what errno says; `*ret_done`: bytes, or negative. */
static int pages_copy(const Space *space, uint64_t address, const unsigned char *pages,
		      uint64_t size, int64_t *ret_done)
{
	struct uffdio_copy copy = {.dst = address, .src = (uint64_t)(uintptr_t)pages, .len = size};
	int failure = ioctl(space->uffd, UFFDIO_COPY, &copy) < 0 ? errno : 0;

	*ret_done = failure ? copy.copy : (int64_t)size;
	return failure;
}

/* The kernel puts nothing of what reaches from one mapping into another, and says that there is
 * none (validate_dst_vma() in mm/userfaultfd.c); a single page does not. */
static Put pages_put(const Space *space, uint64_t address, const unsigned char *pages,
		     uint64_t size, uint64_t *ret_size)
{
	int64_t done;
	int failure = pages_copy(space, address, pages, size, &done);

	if (failure == ENOENT && size > MEMORY_PAGE)
		failure = pages_copy(space, address, pages, MEMORY_PAGE, &done);
	return put_result(failure, done, ret_size);
}

static Put zero_put(const Space *space, uint64_t address)
{
	struct uffdio_zeropage zero = {.range = {.start = address, .len = MEMORY_PAGE}};
	int failure = ioctl(space->uffd, UFFDIO_ZEROPAGE, &zero) < 0 ? errno : 0;
	uint64_t size;

	return put_result(failure, failure ? zero.zeropage : MEMORY_PAGE, &size);
}

/* Who waits for a page that is there by now is not woken by its being there. */
static void waiters_wake(const Space *space, uint64_t address)
{
	struct uffdio_range range = {.start = address, .len = MEMORY_PAGE};

	(void)ioctl(space->uffd, UFFDIO_WAKE, &range);
}

static int space_put(Space *space, uint64_t start, uint64_t end, const unsigned char *pages,
		     Error *err)
{
	uint64_t size;
	int r = 0;

	switch (pages_put(space, start, pages, end - start, &size)) {
	case PUT_DONE:
		r = ranges_drop(space, start, start + size);
		break;
	case PUT_GONE:
		space->n = 0;
		break;
	case PUT_AGAIN:
		break;
	case PUT_FAILED:
		return error_errno(err, -errno, "Putting pages at %#llx",
				   (unsigned long long)start);
	}
	return r < 0 ? error_errno(err, r, "Putting pages") : 0;
}

static int fault_answer(Space *space, uint64_t address, Error *err)
{
	uint64_t page = address & ~(uint64_t)(MEMORY_PAGE - 1), end;
	size_t i = range_at(space, page);
	PageRun run;
	int r;

	if (i == space->n || space->missing[i].start > page) {
		/* It was never written to; or it came with another. */
		if (zero_put(space, page) == PUT_FAILED)
			return error_errno(err, -errno, "Putting a page of zeros");
		waiters_wake(space, page);
		return 0;
	}
	run = space->missing[i];
	end = run.end - page > FAULT_BYTES ? page + FAULT_BYTES : run.end;
	r = space_put(space, page, end, run.pages + (page - run.start), err);
	waiters_wake(space, page);
	return r;
}

int spaces_bring(Spaces *spaces, Error *err)
{
	for (size_t i = 0; i < spaces->n; i++) {
		Space *space = &spaces->spaces[i];
		uint64_t start;
		PageRun last;

		if (space->n == 0)
			continue;
		/* From the end, where nothing is to be moved when it is done. */
		last = space->missing[space->n - 1];
		start = last.end - last.start > BRING_BYTES ? last.end - BRING_BYTES : last.start;
		return space_put(space, start, last.end, last.pages + (start - last.start), err);
	}
	return 0;
}

/* ---- events ---- */

static int fork_follow(Spaces *spaces, size_t i, int uffd, int (*forked)(int uffd, void *userdata),
		       void *userdata, Error *err)
{
	int r = forked(uffd, userdata);

	if (r < 0) {
		(void)close(uffd);
		return error_errno(err, r, "Following a fork");
	}
	return space_add(spaces, uffd, spaces->spaces[i].missing, spaces->spaces[i].n, err);
}

int spaces_event(Spaces *spaces, size_t i, int (*forked)(int uffd, void *userdata), void *userdata,
		 Error *err)
{
	Space *space = &spaces->spaces[i];
	struct uffd_msg message;
	ssize_t n = read(space->uffd, &message, sizeof(message));
	int r = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n != (ssize_t)sizeof(message))
		return error_errno(err, n < 0 ? -errno : -EIO, "Reading a userfaultfd");
	switch (message.event) {
	case UFFD_EVENT_PAGEFAULT:
		return fault_answer(space, message.arg.pagefault.address, err);
	case UFFD_EVENT_FORK:
		return fork_follow(spaces, i, (int)message.arg.fork.ufd, forked, userdata, err);
	case UFFD_EVENT_REMAP:
		r = ranges_move(space, message.arg.remap.from, message.arg.remap.to,
				message.arg.remap.len);
		break;
	case UFFD_EVENT_REMOVE:
	case UFFD_EVENT_UNMAP:
		r = ranges_drop(space, message.arg.remove.start, message.arg.remove.end);
		break;
	default:
		return error_set(err, -EPROTO, "A userfaultfd tells of event %u", message.event);
	}
	return r < 0 ? error_errno(err, r, "Following a change of memory") : 0;
}
