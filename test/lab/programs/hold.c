/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program with much memory that cannot be compressed, a tenth of which it rewrites all the time.
 *     hold MIB FILE [PORT]
 * Each page is filled by a generator that is seeded with the page's number and how often it was
 * written, so that a page that is of another time, or another page's, is found.  FILE gets the
 * number of pages looked at, or what was wrong.  To each byte that a client sends to PORT it
 * answers with that number and an end of line.  While FILE.slow exists it takes its time, and much
 * of its memory is not looked at for minutes.  With HOLD_WORDS=N in the environment, less than 512,
 * the first N words of each page come again and again in it, so that it can be compressed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGE_WORDS 512
#define ROUND      1024 /* pages between two words to FILE */
#define TURN       8    /* and between two looks at the client */
#define PAUSE_US   200000

static size_t fresh = PAGE_WORDS; /* words of a page that are no copies */

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
		words[i] = i < fresh ? next(&state) : words[i - fresh];
}

static int page_is(const uint64_t *words, size_t page, uint32_t version)
{
	uint64_t state = seed(page, version);

	for (size_t i = 0; i < PAGE_WORDS; i++)
		if (words[i] != (i < fresh ? next(&state) : words[i - fresh]))
			return 0;
	return 1;
}

static void tell(int file, const char *text)
{
	if (pwrite(file, text, strlen(text), 0) < 0)
		perror("hold");
}

static int listener_make(const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0)
		return fd;
	perror("hold: port");
	exit(2);
}

/* One client at a time. */
static void client_answer(int listener, int *client, unsigned long n)
{
	char bytes[64], line[32];
	ssize_t got;

	if (*client < 0)
		*client = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (*client < 0)
		return;
	got = read(*client, bytes, sizeof(bytes));
	if (got == 0 || (got < 0 && errno != EAGAIN)) {
		(void)close(*client);
		*client = -1;
	}
	for (; got > 0; got--) {
		int size = snprintf(line, sizeof(line), "%lu\n", n);

		if (write(*client, line, (size_t)size) < 0)
			perror("hold: answering");
	}
}

static void pause_if(const char *file)
{
	char slow[PATH_MAX];

	(void)snprintf(slow, sizeof(slow), "%s.slow", file);
	if (access(slow, F_OK) == 0)
		(void)usleep(PAUSE_US);
}

int main(int argc, char *argv[])
{
	size_t pages = argc == 3 || argc == 4 ? strtoul(argv[1], NULL, 10) << 8 : 0,
	       tenth = pages / 10;
	int listener = argc == 4 ? listener_make(argv[3]) : -1, client = -1;
	int file = pages > 0 ? open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
	uint64_t *memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t *versions = calloc(pages + 1, sizeof(*versions));
	uint64_t state = 88172645463325252U;
	const char *words = getenv("HOLD_WORDS");
	char text[96];

	if (file < 0 || tenth == 0 || memory == MAP_FAILED || !versions) {
		(void)fprintf(stderr, "hold: usage: hold MIB FILE [PORT] (%s)\n", strerror(errno));
		return 2;
	}
	if (words && strtoul(words, NULL, 10) > 0 && strtoul(words, NULL, 10) < PAGE_WORDS)
		fresh = strtoul(words, NULL, 10);
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
		if (listener >= 0 && n % TURN == 0)
			client_answer(listener, &client, n);
		if (n % TURN == 0)
			pause_if(argv[2]);
		if (n % ROUND == 0) {
			(void)snprintf(text, sizeof(text), "%lu\n", n);
			tell(file, text);
		}
	}
}
