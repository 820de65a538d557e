/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two programs that talk over a unix stream socket; each is a service of its own.
 *     talk serve SOCKET          sends back whatever it gets
 *     talk ask SOCKET FILE       sends numbers, expects them back in order, writes to FILE how many
 *                                came back, or "failed: ..." and ends
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PACE_MS 100
#define WINDOW  3

static int fail(const char *what)
{
	fprintf(stderr, "talk: %s: %s\n", what, strerror(errno));
	return 1;
}

static int serve(int listener)
{
	for (;;) {
		char data[256];
		ssize_t n;
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			return fail("accept");
		while ((n = recv(fd, data, sizeof(data), 0)) > 0)
			if (send(fd, data, (size_t)n, MSG_NOSIGNAL) != n)
				return fail("send");
		(void)close(fd);
	}
}

static void record(int file, const char *text)
{
	if (pwrite(file, text, strlen(text), 0) < 0 || ftruncate(file, (off_t)strlen(text)) < 0)
		(void)fail("file");
}

static int ask(int fd, int file)
{
	for (unsigned sent = 0, received = 0;;) {
		char text[64];
		unsigned value = 0;

		while (sent - received < WINDOW) {
			if (send(fd, &sent, sizeof(sent), MSG_NOSIGNAL) != sizeof(sent)) {
				record(file, "failed: the other end is gone\n");
				return fail("send");
			}
			sent++;
		}
		if (recv(fd, &value, sizeof(value), MSG_WAITALL) != sizeof(value) ||
		    value != received) {
			(void)snprintf(text, sizeof(text), "failed: %u came back, not %u\n", value,
				       received);
			record(file, text);
			return 1;
		}
		received++;
		(void)snprintf(text, sizeof(text), "%u\n", received);
		record(file, text);
		(void)poll(NULL, 0, PACE_MS);
	}
}

int main(int argc, char *argv[])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), file;

	if (argc < 3 || fd < 0)
		return 2;
	strncpy(address.sun_path, argv[2], sizeof(address.sun_path) - 1);
	if (strcmp(argv[1], "serve") == 0) {
		(void)unlink(argv[2]);
		if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 5) < 0)
			return fail(argv[2]);
		return serve(fd);
	}
	file = argc > 3 ? open(argv[3], O_RDWR | O_CREAT | O_TRUNC, 0644) : -1;
	if (file < 0)
		return fail("file");
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		(void)poll(NULL, 0, PACE_MS);
	return ask(fd, file);
}
