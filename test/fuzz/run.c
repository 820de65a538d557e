/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target on its corpus and on mutations of it, always the same ones:
 *
 *   fuzz-NAME CORPUS            as a unit test
 *   fuzz-NAME CORPUS SECONDS    so long; what it dies of is left in the file crash-NAME
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "fuzz.h"

#define SIZE_MAX_INPUT ((size_t)32768)
#define MUTATIONS      1500
#define CHANGES_MOST   4

typedef struct Input {
	uint8_t *bytes;
	size_t size;
} Input;

typedef struct Corpus {
	Input *inputs;
	size_t n;
} Corpus;

/* Of the input that is being tried, for on_death(). */
static Input current;
static char death_path[128];

static void on_death(int signal_number)
{
	int fd = open(death_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd >= 0 && write(fd, current.bytes, current.size) == (ssize_t)current.size)
		(void)close(fd);
	(void)signal(signal_number, SIG_DFL);
	(void)raise(signal_number);
}

static void input_try(uint8_t *bytes, size_t size)
{
	current = (Input){bytes, size};
	(void)LLVMFuzzerTestOneInput(bytes, size);
}

/* xorshift64*: the same on every machine. */
static size_t draw(uint64_t *state, size_t below)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return below ? (size_t)((*state * 0x2545f4914f6cdd1dULL) >> 33) % below : 0;
}

static const char *const words[] = {
	"0",
	"-1",
	"4294967296",
	"9223372036854775808",
	"1e999",
	"\"\"",
	"null",
	"[]",
	"{}",
	"[[[",
	"\\u0000",
	"\xff\xff\xff\xff",
	"../",
	"/",
	"\n",
	"\r\n\r\n",
	"true",
	"=",
	"[",
	"]",
	"\\",
	",",
	"\"",
	"%00",
	":",
	"#",
	";",
	"chunked",
	"18446744073709551615",
};

static void bytes_insert(Input *input, size_t at, const void *bytes, size_t n)
{
	if (input->size + n > SIZE_MAX_INPUT)
		return;
	memmove(input->bytes + at + n, input->bytes + at, input->size - at);
	memcpy(input->bytes + at, bytes, n);
	input->size += n;
}

static void bytes_delete(Input *input, size_t at, size_t n)
{
	memmove(input->bytes + at, input->bytes + at + n, input->size - at - n);
	input->size -= n;
}

static void input_change(Input *input, const Corpus *corpus, uint64_t *random)
{
	size_t at = draw(random, input->size), left = input->size - at;
	const char *word = words[draw(random, sizeof(words) / sizeof(*words))];
	const Input *other = &corpus->inputs[draw(random, corpus->n)];
	size_t from = draw(random, other->size), length = draw(random, other->size - from + 1);

	switch (draw(random, 8)) {
	case 0:
		input->size = at;
		return;
	case 1:
		bytes_delete(input, at, draw(random, (left < 16 ? left : 16) + 1));
		return;
	case 2:
		bytes_insert(input, at, word, strlen(word));
		return;
	case 3: /* a word in the place of as many bytes */
		bytes_delete(input, at, left < strlen(word) ? left : strlen(word));
		bytes_insert(input, at, word, strlen(word));
		return;
	case 4:
		bytes_insert(input, at, other->bytes + from, length);
		return;
	case 5:
		if (left > 0)
			input->bytes[at] ^= (uint8_t)(1U << draw(random, 8));
		return;
	case 6:
		if (left > 0)
			input->bytes[at] = (uint8_t)draw(random, 256);
		return;
	default:
		if (left > 0)
			input->bytes[at] = (uint8_t) "\0\n\"{}[],:-/\\= 9\xff"[draw(random, 16)];
	}
}

static void mutation_try(const Corpus *corpus, uint64_t *random)
{
	uint8_t bytes[SIZE_MAX_INPUT];
	const Input *from = &corpus->inputs[draw(random, corpus->n)];
	Input input = {bytes, from->size};

	memcpy(bytes, from->bytes, from->size);
	for (size_t i = draw(random, CHANGES_MOST) + 1; i > 0; i--)
		input_change(&input, corpus, random);
	input_try(input.bytes, input.size);
}

static int compare_inputs(const void *a, const void *b)
{
	const Input *left = a, *right = b;
	size_t n = left->size < right->size ? left->size : right->size;
	int order = n ? memcmp(left->bytes, right->bytes, n) : 0;

	return order ? order : (left->size > right->size) - (left->size < right->size);
}

static void corpus_add(Corpus *corpus, int dirfd, const char *name)
{
	Input *more = realloc(corpus->inputs, (corpus->n + 1) * sizeof(*more));
	char *text = NULL;
	size_t size = 0;

	require(more && file_read(dirfd, name, &text, &size, NULL) == 0 && size <= SIZE_MAX_INPUT);
	corpus->inputs = more;
	more[corpus->n++] = (Input){(uint8_t *)text, size};
}

/* Sorted: a directory has its files in any order. */
static int corpus_read(const char *path, Corpus *corpus)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			corpus_add(corpus, dirfd(dir), entry->d_name);
	if (corpus->n == 0)
		return -ENOENT;
	qsort(corpus->inputs, corpus->n, sizeof(*corpus->inputs), compare_inputs);
	return 0;
}

static void corpus_free(Corpus *corpus)
{
	for (size_t i = 0; i < corpus->n; i++)
		free(corpus->inputs[i].bytes);
	free(corpus->inputs);
}

/* The mutations that a test tries, and with a time limit all that fit in. */
static size_t mutations_try(const Corpus *corpus, int64_t limit_us)
{
	int64_t end_us = clock_monotonic_us() + limit_us;
	uint64_t random = 1;
	size_t n = 0;

	for (; n < MUTATIONS || (limit_us > 0 && clock_monotonic_us() < end_us); n++)
		mutation_try(corpus, &random);
	return n;
}

int main(int argc, char *argv[])
{
	Corpus corpus = {0};
	const char *name = strrchr(argv[0], '/');
	int64_t limit_us = argc > 2 ? strtoll(argv[2], NULL, 10) * 1000000 : 0;
	size_t n;

	if (argc < 2 || corpus_read(argv[1], &corpus) < 0) {
		(void)fprintf(stderr, "usage: %s CORPUS [SECONDS]\n", argv[0]);
		return 2;
	}
	if (limit_us > 0) {
		(void)snprintf(death_path, sizeof(death_path), "crash-%s",
			       name ? name + 1 : argv[0]);
		(void)signal(SIGABRT, on_death);
	}
	for (size_t i = 0; i < corpus.n; i++)
		input_try(corpus.inputs[i].bytes, corpus.inputs[i].size);
	n = mutations_try(&corpus, limit_us);
	(void)printf("1..1\nok 1 - %zu inputs and %zu mutations\n", corpus.n, n);
	corpus_free(&corpus);
	return 0;
}
