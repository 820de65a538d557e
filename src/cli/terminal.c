/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define CAUGHT (sizeof(caught) / sizeof(*caught))

static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
	signalled = number;
}

/* Reads a line, also past the room that there is for it.  What is caught comes only while this
 * waits: it would else come between the prompt and the wait, and be waited past. */
static int line_read(int fd, const sigset_t *waiting, char *ret, size_t size)
{
	size_t n = 0;
	char c = '\0';

	for (;;) {
		struct pollfd line = {.fd = fd, .events = POLLIN};
		ssize_t got;

		if (ppoll(&line, 1, NULL, waiting) < 0)
			return -errno;
		got = read(fd, &c, 1);
		if (got < 0)
			return -errno;
		if (got == 0 || c == '\n')
			break;
		if (n < size)
			ret[n++] = c;
	}
	if (n == size)
		return -E2BIG;
	ret[n] = '\0';
	return 0;
}

static int blind_ask(int fd, const sigset_t *waiting, const char *prompt, char *ret, size_t size,
		     Error *err)
{
	struct termios before, blind;
	int r;

	if (tcgetattr(fd, &before) < 0)
		return error_errno(err, -errno, "Asking for a passphrase on the terminal");
	blind = before;
	blind.c_lflag &= (tcflag_t) ~(ECHO | ECHONL);
	/* Before the prompt: what is typed after it is neither shown nor thrown away. */
	(void)tcsetattr(fd, TCSAFLUSH, &blind);
	r = file_write_all(fd, prompt, strlen(prompt), NULL);
	if (r == 0)
		r = line_read(fd, waiting, ret, size);
	(void)tcsetattr(fd, TCSAFLUSH, &before);
	(void)file_write_all(fd, "\n", 1, NULL);
	return r < 0 ? error_errno(err, r, "Asking for a passphrase on the terminal") : 0;
}

int terminal_ask(const char *prompt, char *ret, size_t size, Error *err)
{
	_cleanup_close_ int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct sigaction before[CAUGHT];
	const struct sigaction catch = {.sa_handler = on_signal};
	sigset_t blocked, waiting;
	int r;

	if (fd < 0)
		return error_set(err, -ENOTTY,
				 "There is no terminal to ask for a passphrase on; give "
				 "--passphrase-file");
	signalled = 0;
	(void)sigemptyset(&blocked);
	for (size_t i = 0; i < CAUGHT; i++)
		(void)sigaddset(&blocked, caught[i]);
	(void)sigprocmask(SIG_BLOCK, &blocked, &waiting);
	for (size_t i = 0; i < CAUGHT; i++)
		(void)sigaction(caught[i], &catch, &before[i]);
	r = blind_ask(fd, &waiting, prompt, ret, size, err);
	for (size_t i = 0; i < CAUGHT; i++)
		(void)sigaction(caught[i], &before[i], NULL);
	if (signalled)
		(void)raise(signalled);
	/* What was caught comes now, to whom it would have come. */
	(void)sigprocmask(SIG_SETMASK, &waiting, NULL);
	return r;
}
