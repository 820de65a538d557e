/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: everything DIRECTORY PEER4 PEER6 PEER_PORT OWN_PORT
 *
 * Writes "ready" to DIRECTORY/report when all is set up, and from then on what it found:
 *     rounds N
 *     violations N
 *     longest N                milliseconds between two rounds
 *     exchanged N N N N        lines: to the peer over IPv4, IPv6, from it over IPv4, IPv6
 *     pid N
 * DIRECTORY/violations has a line for each violation.
 */
#include "everything.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define ROUND_MS        300
#define ROUNDS_A_REPORT 2

static const Resource *const groups[] = {
	/* Memory and processes first: what the others start is then a child of a full program. */
	memory_resources, process_resources, file_resources,
	event_resources,  socket_resources,  stream_resources,
};

Shared *shared;
const char *peer4, *peer6;
uint16_t peer_port, own_port;

static int log_fd = -1;
static const char *current = "start";

void violation(const char *fmt, ...)
{
	char text[400];
	va_list ap;
	int n;

	atomic_fetch_add(&shared->violations, 1);
	n = snprintf(text, sizeof(text) - 1, "round %" PRIu64 ": %s: ", shared->rounds, current);
	va_start(ap, fmt);
	n += vsnprintf(text + n, sizeof(text) - 1 - (size_t)n, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(text) - 2)
		n = sizeof(text) - 2;
	text[n++] = '\n';
	if (write(log_fd, text, (size_t)n) != n)
		atomic_fetch_add(&shared->violations, 1);
}

void give_up(const char *what)
{
	fprintf(stderr, "everything: %s: %s: %s\n", current, what, strerror(errno));
	exit(1);
}

int must(int result, const char *what)
{
	if (result < 0)
		give_up(what);
	return result;
}

bool readable(int fd, int limit_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, limit_ms) == 1 && (poll_fd.revents & POLLIN);
}

pid_t helper(void (*loop)(void))
{
	pid_t pid = must(fork(), "fork");

	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	loop();
	_exit(1);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void report(uint64_t longest)
{
	FILE *file = fopen("report.new", "we");

	if (!file)
		give_up("report.new");
	fprintf(file,
		"rounds %" PRIu64 "\nviolations %" PRIu64 "\nlongest %" PRIu64
		"\nexchanged %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\npid %d\n",
		shared->rounds, shared->violations, longest, shared->exchanged[0],
		shared->exchanged[1], shared->exchanged[2], shared->exchanged[3], (int)getpid());
	if (fclose(file) != 0)
		give_up("report.new");
	must(rename("report.new", "report"), "report");
}

static void all(bool checking)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		for (const Resource *resource = groups[i]; resource->name; resource++) {
			current = resource->name;
			if (checking)
				resource->check();
			else
				resource->setup();
		}
}

int main(int argc, char *argv[])
{
	uint64_t longest = 0, last;

	if (argc != 6) {
		fprintf(stderr, "usage: everything DIRECTORY PEER4 PEER6 PEER_PORT OWN_PORT\n");
		return 2;
	}
	peer4 = argv[2];
	peer6 = argv[3];
	peer_port = (uint16_t)atoi(argv[4]);
	own_port = (uint16_t)atoi(argv[5]);
	must(chdir(argv[1]), argv[1]);
	log_fd = must(open("violations", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600),
		      "violations");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		give_up("shared memory");
	all(false);
	last = now_ms();
	for (;;) {
		uint64_t now;

		all(true);
		atomic_fetch_add(&shared->rounds, 1);
		now = now_ms();
		if (now - last > longest)
			longest = now - last;
		last = now;
		if (shared->rounds % ROUNDS_A_REPORT == 0)
			report(longest);
		(void)poll(NULL, 0, ROUND_MS);
	}
}
