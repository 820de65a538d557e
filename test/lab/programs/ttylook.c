// SPDX-License-Identifier: Apache-2.0
/* What a process's terminals have for it: ttylook PID... */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void look(int pid, int number)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	int in = -1, out = -1;
	struct pollfd one = {fd, POLLIN | POLLOUT, 0};

	if (isatty(fd)) {
		(void)ioctl(fd, TIOCINQ, &in);
		(void)ioctl(fd, TIOCOUTQ, &out);
		(void)printf("%d/%d: %d to read, %d written, flags %#x", pid, number, in, out,
			     fcntl(fd, F_GETFL));
		(void)poll(&one, 1, 0);
		/* Asking makes the kernel take in what it had put off. */
		(void)ioctl(fd, TIOCINQ, &in);
		(void)printf("; poll says %#x, then %d to read\n", (unsigned)one.revents, in);
	}
	(void)close(fd);
	(void)close(pidfd);
}

int main(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++) {
		char path[32];
		struct dirent *entry;
		DIR *dir;

		(void)snprintf(path, sizeof(path), "/proc/%.10s/fd", argv[i]);
		dir = opendir(path);
		while (dir && (entry = readdir(dir)))
			if (*entry->d_name != '.')
				look(atoi(argv[i]), atoi(entry->d_name));
		if (dir)
			(void)closedir(dir);
	}
	return 0;
}
