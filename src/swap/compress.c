/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/compress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define PAGE      4096U
#define PIECE     (128U << 10) /* what btrfs compresses at a time */
#define PIECES    256U         /* of a sample, about */
#define LEVEL     1
#define REGIONS   256U
#define SPACE_END 0x7ffffffff000ULL /* of a process, with page tables of four levels */

/* As include/uapi/linux/fs.h has it since 6.7; Debian 12's does not. */
typedef struct ScanArgument {
	uint64_t size, flags, start, end, walk_end, regions, n_regions, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
} ScanArgument;

typedef struct ScanRegion {
	uint64_t start, end, categories;
} ScanRegion;

#define SCAN            _IOWR('f', 16, ScanArgument)
#define PAGE_IS_FILE    (1U << 2)
#define PAGE_IS_PRESENT (1U << 3)

typedef struct Sample {
	uint64_t stride, next; /* bytes from piece to piece, and to the next one */
	uint64_t whole, packed;
	void *piece, *out;
	size_t out_room;
} Sample;

static void sample_release(Sample *sample)
{
	free(sample->piece);
	free(sample->out);
}

static void piece_take(Sample *sample, int memory, uint64_t start, uint64_t size)
{
	ssize_t n = pread(memory, sample->piece, size, (off_t)start);
	size_t packed;

	if (n <= 0)
		return;
	packed = ZSTD_compress(sample->out, sample->out_room, sample->piece, (size_t)n, LEVEL);
	/* What does not become smaller is stored as it is. */
	if (ZSTD_isError(packed) || packed > (size_t)n)
		packed = (size_t)n;
	sample->whole += (uint64_t)n;
	sample->packed += (packed + PAGE - 1) / PAGE * PAGE;
}

static void region_take(Sample *sample, int memory, const ScanRegion *region)
{
	uint64_t size = region->end - region->start, at;

	for (at = sample->next; at < size; at += sample->stride) {
		uint64_t left = size - at;

		piece_take(sample, memory, region->start + at, left < PIECE ? left : PIECE);
	}
	sample->next = at - size;
}

/* Private memory that is there.  A process that has ended meanwhile gives nothing. */
static void task_take(Sample *sample, pid_t pid)
{
	_cleanup_free_ char *pages = text_format("/proc/%d/pagemap", pid);
	_cleanup_free_ char *memory = text_format("/proc/%d/mem", pid);
	_cleanup_close_ int pages_fd = pages ? open(pages, O_RDONLY | O_CLOEXEC) : -1;
	_cleanup_close_ int memory_fd = memory ? open(memory, O_RDONLY | O_CLOEXEC) : -1;
	ScanRegion regions[REGIONS];
	ScanArgument argument = {
		.size = sizeof(argument),
		.end = SPACE_END,
		.regions = (uint64_t)(uintptr_t)regions,
		.n_regions = REGIONS,
		.category_inverted = PAGE_IS_FILE,
		.category_mask = PAGE_IS_PRESENT | PAGE_IS_FILE,
		.return_mask = PAGE_IS_PRESENT,
	};
	int n;

	if (pages_fd < 0 || memory_fd < 0)
		return;
	while (argument.start < argument.end && (n = ioctl(pages_fd, SCAN, &argument)) >= 0) {
		for (int i = 0; i < n; i++)
			region_take(sample, memory_fd, &regions[i]);
		argument.start = argument.walk_end;
	}
}

int compress_estimate(const KeptUnits *kept, unsigned *ret_percent, Error *err)
{
	__attribute__((cleanup(sample_release))) Sample sample = {
		.piece = malloc(PIECE),
		.out_room = ZSTD_compressBound(PIECE),
	};
	uint64_t bytes = 0, percent;

	sample.out = malloc(sample.out_room);
	if (!sample.piece || !sample.out)
		return error_errno(err, -ENOMEM, "Compressing a sample of memory");
	for (size_t i = 0; i < kept->n; i++)
		bytes += (uint64_t)kept_unit_memory(&kept->units[i]);
	sample.stride = bytes / PIECES > PIECE ? bytes / PIECES : PIECE;
	for (size_t i = 0; i < kept->n; i++)
		for (size_t j = 0; j < kept->units[i].tasks.n; j++)
			task_take(&sample, kept->units[i].tasks.tasks[j].pid);
	if (sample.whole == 0)
		return error_set(err, -ENODATA, "No memory of kept units can be read");
	percent = sample.packed * 100 / sample.whole;
	*ret_percent = percent < 1 ? 1 : percent > 100 ? 100 : (unsigned)percent;
	return 0;
}

bool compress_is_possible(const Kernel *kernel)
{
	return kernel_has_config(kernel, "CONFIG_BTRFS_FS") > KERNEL_CONFIG_NO;
}
