/* SPDX-License-Identifier: Apache-2.0 */
/* CRIU's images of a process's memory: pagemap-1.img and mm-1.img, each after its size in two
 * bytes, then the pages. */
#include "swap/pagemap.h"

#include "fuzz.h"

static void image_take(const char *name, const uint8_t **bytes, size_t *size)
{
	size_t n = *size < 2 ? *size : (size_t)((*bytes)[0] | (*bytes)[1] << 8);
	size_t head = *size < 2 ? 0 : 2;

	n = n < *size - head ? n : *size - head;
	fuzz_file(name, *bytes + head, n);
	*bytes += head + n;
	*size -= head + n;
}

/* Every page that is promised can be read, and none twice. */
static void map_require(const PageMap *map)
{
	uint64_t last = 0, sum = 0;

	for (size_t i = 0; i < map->n; i++) {
		const PageRun *run = &map->runs[i];

		require(run->start >= last && run->start < run->end);
		sum += run->pages[0] + run->pages[run->end - run->start - 1];
		last = run->end;
	}
	require(sum <= map->n * 2 * UINT8_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	PageMap map;
	Error err = {0};
	int r;

	image_take("pagemap-1.img", &bytes, &size);
	image_take("mm-1.img", &bytes, &size);
	fuzz_file("pages-1.img", bytes, size);
	r = pagemap_mark_lazy(fuzz_directory(), &err);
	if (r < 0)
		require_refusal(r, &err);
	err = (Error){0};
	r = pagemap_open(fuzz_directory(), 1, &map, &err);
	if (r < 0) {
		require_refusal(r, &err);
		return 0;
	}
	map_require(&map);
	pagemap_close(&map);
	return 0;
}
