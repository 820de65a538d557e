/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of every kind, and clocks. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "everything.h"

#define SIZE ((size_t)256 * 1024)

/* The byte that belongs at an offset. */
static unsigned char pattern(size_t offset)
{
	return (unsigned char)(offset * 31 + offset / 4096 + 7);
}

static void fill(unsigned char *memory)
{
	for (size_t i = 0; i < SIZE; i++)
		memory[i] = pattern(i);
}

/* All of it would take too long in every round. */
static void check_filled(const unsigned char *memory, const char *what)
{
	static size_t start;

	for (size_t i = start++ % 61; i < SIZE; i += 61)
		if (memory[i] != pattern(i)) {
			violation("%s: byte %zu is not what was written", what, i);
			return;
		}
}

static unsigned char *map(int protection, int flags, int fd)
{
	unsigned char *memory = mmap(NULL, SIZE, protection, flags, fd, 0);

	if (memory == MAP_FAILED)
		give_up("mmap");
	return memory;
}

/* ---- private ---- */

static unsigned char *private_memory, *constant_memory;

static void private_setup(void)
{
	private_memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	fill(private_memory);
	constant_memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	fill(constant_memory);
	must(mprotect(constant_memory, SIZE, PROT_READ), "mprotect");
}

static void private_check(void)
{
	check_filled(private_memory, "private memory");
	check_filled(constant_memory, "read-only memory");
}

/* ---- shared with another process, which counts in it ---- */

typedef struct Region {
	const char *what;
	unsigned char *memory;
	int fd;
	uint32_t last;
} Region;

static Region regions[] = {{.what = "anonymous shared memory", .fd = -1},
			   {.what = "file in /dev/shm", .fd = -1},
			   {.what = "memfd", .fd = -1},
			   {.what = "file on disk, shared", .fd = -1}};
#define N_REGIONS (sizeof(regions) / sizeof(regions[0]))

static _Atomic uint32_t *counter(const Region *region)
{
	return (_Atomic uint32_t *)(void *)(region->memory + SIZE);
}

static void count(void)
{
	for (;;) {
		for (size_t i = 0; i < N_REGIONS; i++)
			atomic_fetch_add(counter(&regions[i]), 1);
		(void)readable(-1, 100);
	}
}

static void shared_setup(void)
{
	regions[1].fd = must(shm_open("/everything", O_RDWR | O_CREAT | O_TRUNC, 0600), "shm_open");
	regions[2].fd = must(memfd_create("everything", MFD_ALLOW_SEALING), "memfd_create");
	regions[3].fd = must(open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0600), "mapped");
	for (size_t i = 0; i < N_REGIONS; i++) {
		Region *region = &regions[i];
		int flags = MAP_SHARED | (region->fd < 0 ? MAP_ANONYMOUS : 0);

		if (region->fd >= 0)
			must(ftruncate(region->fd, SIZE + 4096), region->what);
		region->memory =
			mmap(NULL, SIZE + 4096, PROT_READ | PROT_WRITE, flags, region->fd, 0);
		if (region->memory == MAP_FAILED)
			give_up(region->what);
		fill(region->memory);
	}
	must(fcntl(regions[2].fd, F_ADD_SEALS, F_SEAL_SHRINK), "F_ADD_SEALS");
	(void)helper(count);
}

static void shared_check(void)
{
	static unsigned stuck[N_REGIONS];

	for (size_t i = 0; i < N_REGIONS; i++) {
		uint32_t value = atomic_load(counter(&regions[i])), seen;

		check_filled(regions[i].memory, regions[i].what);
		/* A hundred rounds: the counting process may wait long for its turn. */
		stuck[i] = value == regions[i].last ? stuck[i] + 1 : 0;
		expect(value >= regions[i].last && stuck[i] < 100,
		       "%s: the other process's count went from %u to %u", regions[i].what,
		       regions[i].last, value);
		regions[i].last = value;
		if (regions[i].fd < 0)
			continue;
		expect(pread(regions[i].fd, &seen, sizeof(seen), SIZE) == sizeof(seen) &&
			       seen >= value,
		       "%s: reading and the mapping differ: %u and %u", regions[i].what, seen,
		       value);
	}
	expect(fcntl(regions[2].fd, F_GET_SEALS) == F_SEAL_SHRINK, "the memfd's seals are %d",
	       fcntl(regions[2].fd, F_GET_SEALS));
}

/* ---- a file's private mapping, written to ---- */

static unsigned char *copy_memory;

static void copy_setup(void)
{
	int fd = must(open("copied", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), "copied");

	must(ftruncate(fd, SIZE), "ftruncate");
	copy_memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	fill(copy_memory);
	(void)close(fd);
}

static void copy_check(void)
{
	check_filled(copy_memory, "private mapping of a file");
}

/* ---- clocks ---- */

static struct Clock {
	clockid_t id;
	const char *name;
	int64_t last_ns;
} clocks[] = {
	{CLOCK_MONOTONIC, "monotonic", 0},
	{CLOCK_BOOTTIME, "boottime", 0},
	{CLOCK_MONOTONIC_COARSE, "coarse monotonic", 0},
	{CLOCK_REALTIME, "realtime", 0},
};

static void clock_check(void)
{
	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		struct timespec t;
		int64_t ns;

		(void)clock_gettime(clocks[i].id, &t);
		ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
		expect(ns >= clocks[i].last_ns, "%s went back by %lld ns", clocks[i].name,
		       (long long)(clocks[i].last_ns - ns));
		clocks[i].last_ns = ns;
	}
}

/* ---- code in shared memory, below all other code, as compilers in language runtimes have it ----
 */

#define CODE_ADDRESS ((void *)0x10000000)
#define CODE_ANSWER  0x5e90e

static int (*shared_code)(void);

static void code_setup(void)
{
	/* amd64: mov $CODE_ANSWER, %eax; ret */
	static const unsigned char code[] = {
		0xb8, CODE_ANSWER & 0xff, CODE_ANSWER >> 8 & 0xff, CODE_ANSWER >> 16, 0, 0xc3};
	void *memory = mmap(CODE_ADDRESS, 4096, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (memory == MAP_FAILED)
		give_up("shared code");
	memcpy(memory, code, sizeof(code));
	must(mprotect(memory, 4096, PROT_READ | PROT_EXEC), "mprotect");
	memcpy(&shared_code, &memory, sizeof(memory));
}

static void code_check(void)
{
	int answer = shared_code();

	expect(answer == CODE_ANSWER, "shared code answered %#x", (unsigned)answer);
}

const Resource memory_resources[] = {
	{"private memory", private_setup, private_check},
	{"shared memory", shared_setup, shared_check},
	{"private mapping", copy_setup, copy_check},
	{"shared code", code_setup, code_check},
	{"clocks", clock_check, clock_check},
	{0},
};
