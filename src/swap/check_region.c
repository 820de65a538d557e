/* SPDX-License-Identifier: Apache-2.0 */
/* check: the memory that the next kernel is to leave to captures (ReserveRam=). */
#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "store/placement.h"
#include "store/region.h"
#include "swap/findings.h"
#include "swap/plan.h"

#define SYSFS       "/sys"
#define BLOCK_USUAL ((uint64_t)128 << 20)

static uint64_t size_wanted(const Plan *plan, const Region *region, uint64_t block)
{
	uint64_t need = (uint64_t)plan->store_need, size = (uint64_t)plan->config.reserve_bytes;

	if (plan->config.reserve_bytes == CONFIG_RESERVE_AUTO)
		return need <= region_capacity(region) ? region->size : placement_size(need, block);
	return placement_round(size, block);
}

/* Captures in the region must be in the next kernel's too: it begins where it did, and does not end
 * before.  *ret is not touched if it is to stay as it is. */
static int region_choose(const Plan *plan, const Region *region, Placement *ret, Error *err)
{
	_cleanup_free_ char *iomem = NULL;
	uint64_t block = region_memory_block(SYSFS);
	Placement next = {.start = region->start};
	int r = file_read(AT_FDCWD, "/proc/iomem", &iomem, NULL, err);

	if (r < 0)
		return r;
	if (block == 0)
		block = BLOCK_USUAL;
	next.size = size_wanted(plan, region, block);
	if (next.size == region->size || (plan->store == &store_ram && next.size < region->size))
		return 0;
	r = plan->store == &store_ram ? placement_check(iomem, next, err)
				      : placement_choose(iomem, next.size, block, &next, err);
	if (r == 0)
		*ret = next;
	return r;
}

static int region_place(Plan *plan, const Region *region, Placement *ret, Error *err)
{
	const Placement old = {region->start, region->size};
	_cleanup_free_ char *running = NULL;
	int r = region_choose(plan, region, ret, err);

	if (r < 0 || ret->size == 0)
		return r;
	r = file_read_line(AT_FDCWD, "/proc/cmdline", &running, err);
	return r < 0 ? r : placement_cmdline(running, old, *ret, &plan->placed_cmdline, err);
}

int plan_check_region(Plan *plan, Error *err)
{
	Region region = {0};
	Placement next = {0};
	Error why = {0};
	int r;

	if (plan->config.reserve_bytes == 0)
		return 0;
	r = region_find(SYSFS, &region, err);
	if (r < 0 && r != -ENODEV)
		return r;
	if (region_place(plan, &region, &next, &why) < 0)
		findings_add(plan->findings, SEVERITY_WARNING, "store", "ReserveRam=", NULL,
			     "the next kernel's region for captures stays as it is: %s", why.text);
	else if (next.size > 0)
		findings_add(plan->findings, SEVERITY_NOTE, "store", "ReserveRam=", NULL,
			     "the next kernel will have a region of %llu MiB for captures; this "
			     "one has %llu MiB",
			     (unsigned long long)(next.size >> 20),
			     (unsigned long long)(region.size >> 20));
	return 0;
}
