/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service that counts: a line "tick N" on standard output twice a second, and the number to a
 * file.  How it tells systemd that it is up is chosen by its arguments:
 *     service FILE [notify] [watchdog] [forking]
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PERIOD_MS 500

static int notify_fd = -1;

static int fail(const char *what)
{
	fprintf(stderr, "service: %s: %s\n", what, strerror(errno));
	return 1;
}

static void notify(const char *text)
{
	if (notify_fd >= 0 && send(notify_fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		(void)fail(text);
}

static int notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t size;

	if (!path || strlen(path) >= sizeof(address.sun_path))
		return fail("NOTIFY_SOCKET");
	strcpy(address.sun_path, path);
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify_fd < 0 || connect(notify_fd, (struct sockaddr *)&address, size) < 0)
		return fail(path);
	return 0;
}

int main(int argc, char *argv[])
{
	int watchdog = 0, file;

	if (argc < 2)
		return 2;
	file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (file < 0)
		return fail(argv[1]);
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "notify") == 0 && notify_open() != 0)
			return 1;
		if (strcmp(argv[i], "watchdog") == 0)
			watchdog = 1;
		if (strcmp(argv[i], "forking") == 0 && daemon(1, 1) < 0)
			return fail("daemon");
	}
	setlinebuf(stdout);
	notify("READY=1\nSTATUS=counting");
	for (unsigned long n = 1;; n++) {
		char text[32];
		int size = snprintf(text, sizeof(text), "%lu\n", n);

		printf("tick %lu\n", n);
		if (pwrite(file, text, (size_t)size, 0) != size)
			return fail(argv[1]);
		if (watchdog)
			notify("WATCHDOG=1");
		(void)poll(NULL, 0, PERIOD_MS);
	}
}
