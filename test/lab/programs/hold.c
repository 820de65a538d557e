/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program with much memory that cannot be compressed, a tenth of which it rewrites all the time.
 *     hold MIB FILE
 * Each page is filled by a generator that is seeded with the page's number and how often it was
 * written, so that a page that is of another time, or another page's, is found.  FILE gets the
 * number of pages looked at, or what was wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_WORDS 512
#define ROUND      1024 /* pages between two words to FILE */

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t seed(size_t page, uint32_t version)
{
	return ((uint64_t)page << 32 | version) * 0x9e3779b97f4a7c15U | 1;
}

static void page_fill(uint64_t *words, size_t page, uint32_t version)
{
	uint64_t state = seed(page, version);

	for (size_t i = 0; i < PAGE_WORDS; i++)
		words[i] = next(&state);
}

static int page_is(const uint64_t *words, size_t page, uint32_t version)
{
	uint64_t state = seed(page, version);

	for (size_t i = 0; i < PAGE_WORDS; i++)
		if (words[i] != next(&state))
			return 0;
	return 1;
}

static void tell(int file, const char *text)
{
	if (pwrite(file, text, strlen(text), 0) < 0)
		perror("hold");
}

int main(int argc, char *argv[])
{
	size_t pages = argc == 3 ? strtoul(argv[1], NULL, 10) << 8 : 0, tenth = pages / 10;
	int file = argc == 3 ? open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
	uint64_t *memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t *versions = calloc(pages + 1, sizeof(*versions));
	uint64_t state = 88172645463325252U;
	char text[96];

	if (file < 0 || tenth == 0 || memory == MAP_FAILED || !versions) {
		(void)fprintf(stderr, "hold: usage: hold MIB FILE (%s)\n", strerror(errno));
		return 2;
	}
	for (size_t page = 0; page < pages; page++)
		page_fill(memory + page * PAGE_WORDS, page, 0);
	for (unsigned long n = 1;; n++) {
		/* One that is rewritten, and one of all. */
		size_t warm = next(&state) % tenth, any = next(&state) % pages;

		for (int i = 0; i < 2; i++) {
			size_t page = i ? any : warm;

			if (page_is(memory + page * PAGE_WORDS, page, versions[page]))
				continue;
			(void)snprintf(text, sizeof(text), "page %zu is not of version %u\n", page,
				       versions[page]);
			tell(file, text);
			return 1;
		}
		page_fill(memory + warm * PAGE_WORDS, warm, ++versions[warm]);
		if (n % ROUND == 0) {
			(void)snprintf(text, sizeof(text), "%lu\n", n);
			tell(file, text);
		}
	}
}
