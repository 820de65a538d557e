/* SPDX-License-Identifier: Apache-2.0 */
/* Files: open ones, deleted ones, locks, pipes, terminals. */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "everything.h"

/* ---- open files: position, flags, one description behind two descriptors ---- */

static int append_fd, position_fd, second_fd, memory_fd;
static off_t position;

static void open_setup(void)
{
	append_fd = must(open("appended", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0640), "appended");
	position_fd = must(open("positioned", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600),
			   "positioned");
	second_fd = must(dup(position_fd), "dup");
	memory_fd = must(open("/run/everything", O_RDWR | O_CREAT | O_TRUNC, 0600), "/run");
	must((int)write(memory_fd, "in memory", 9), "write");
}

static void open_check(void)
{
	char text[16] = "";

	expect((fcntl(append_fd, F_GETFL) & (O_APPEND | O_ACCMODE)) == (O_APPEND | O_RDWR),
	       "the flags are %o", (unsigned)fcntl(append_fd, F_GETFL));
	expect(fcntl(position_fd, F_GETFD) == FD_CLOEXEC && fcntl(second_fd, F_GETFD) == 0,
	       "close-on-exec changed");
	expect(lseek(position_fd, 0, SEEK_CUR) == position, "the position is %lld, not %lld",
	       (long long)lseek(position_fd, 0, SEEK_CUR), (long long)position);
	expect(write(second_fd, "x", 1) == 1, "cannot write: %s", strerror(errno));
	position++;
	expect(lseek(position_fd, 0, SEEK_CUR) == position, "the descriptors are separate now");
	if (position == 4096) {
		position = 0;
		(void)lseek(position_fd, 0, SEEK_SET);
	}
	expect(pread(memory_fd, text, sizeof(text), 0) == 9 && !strcmp(text, "in memory"),
	       "the file in /run has \"%s\"", text);
	expect(access("/run/everything", F_OK) == 0, "/run/everything is gone");
}

/* ---- deleted ---- */

static int deleted_fd;

static void deleted_setup(void)
{
	char block[4096];

	deleted_fd = must(open("deleted", O_RDWR | O_CREAT | O_TRUNC, 0600), "deleted");
	for (unsigned char i = 0; i < 16; i++) {
		memset(block, 'a' + i, sizeof(block));
		must((int)write(deleted_fd, block, sizeof(block)), "write");
	}
	must(unlink("deleted"), "unlink");
}

static void deleted_check(void)
{
	struct stat status;
	char c = 0;

	for (unsigned char i = 0; i < 16; i++)
		expect(pread(deleted_fd, &c, 1, i * 4096 + i) == 1 && c == 'a' + i,
		       "block %d has '%c'", i, c);
	expect(fstat(deleted_fd, &status) == 0 && status.st_size == 16 * 4096, "its size is %lld",
	       (long long)status.st_size);
	expect(access("deleted", F_OK) < 0, "it has a name again");
}

/* ---- locks ---- */

static int flock_fd, ofd_fd, posix_fd;

static struct flock range(short type)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20};
}

static void lock_setup(void)
{
	struct flock lock = range(F_WRLCK);

	flock_fd = must(open("flock", O_RDWR | O_CREAT, 0600), "flock");
	ofd_fd = must(open("ofd", O_RDWR | O_CREAT, 0600), "ofd");
	posix_fd = must(open("posix", O_RDWR | O_CREAT, 0600), "posix");
	must(flock(flock_fd, LOCK_EX), "flock");
	must(fcntl(ofd_fd, F_OFD_SETLK, &lock), "F_OFD_SETLK");
	lock = range(F_WRLCK);
	must(fcntl(posix_fd, F_SETLK, &lock), "F_SETLK");
}

/* Another process has to ask: a process's own lock is never in its way. */
static bool posix_is_held(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		struct flock lock = range(F_WRLCK);

		_exit(fcntl(posix_fd, F_GETLK, &lock) == 0 && lock.l_type == F_WRLCK &&
				      lock.l_pid == getppid() && lock.l_start == 10
			      ? 0
			      : 1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void lock_check(void)
{
	static unsigned round;
	int fd = open("flock", O_RDWR | O_CLOEXEC);
	struct flock lock = range(F_WRLCK);

	expect(flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK, "flock is not held");
	(void)close(fd);
	fd = open("ofd", O_RDWR | O_CLOEXEC);
	expect(fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_WRLCK && lock.l_start == 10,
	       "the description's lock is not held");
	(void)close(fd);
	/* "posix" must not be opened and closed here: that would release the lock. */
	if (round++ % 10 == 0)
		expect(posix_is_held(), "the process's lock is not held");
}

/* ---- pipes ---- */

static int pipe_fds[2], fifo_fd;
static uint32_t pipe_in, pipe_out;

#define PIPE_PENDING 100

static void pipe_put(void)
{
	expect(write(pipe_fds[1], &pipe_in, sizeof(pipe_in)) == sizeof(pipe_in), "cannot write: %s",
	       strerror(errno));
	pipe_in++;
}

static void pipe_setup(void)
{
	must(pipe2(pipe_fds, O_NONBLOCK), "pipe");
	must(fcntl(pipe_fds[1], F_SETPIPE_SZ, 16384), "F_SETPIPE_SZ");
	for (int i = 0; i < PIPE_PENDING; i++)
		pipe_put();
	(void)unlink("fifo");
	must(mkfifo("fifo", 0600), "mkfifo");
	fifo_fd = must(open("fifo", O_RDWR | O_NONBLOCK), "fifo");
	must((int)write(fifo_fd, "f", 1), "write");
}

static void pipe_check(void)
{
	uint32_t value = 0;
	char c = 0;

	expect(read(pipe_fds[0], &value, sizeof(value)) == sizeof(value) && value == pipe_out,
	       "%u came out, not %u", value, pipe_out);
	pipe_out = value + 1;
	pipe_put();
	expect(fcntl(pipe_fds[0], F_GETPIPE_SZ) == 16384, "its size is %d",
	       fcntl(pipe_fds[0], F_GETPIPE_SZ));
	expect((fcntl(pipe_fds[0], F_GETFL) & O_NONBLOCK) != 0, "it blocks");
	expect(read(fifo_fd, &c, 1) == 1 && c == 'f' && write(fifo_fd, "f", 1) == 1,
	       "the named pipe had '%c'", c);
}

/* ---- terminals ---- */

static int master_fd, slave_fd;

static void pty_setup(void)
{
	struct winsize size = {.ws_row = 37, .ws_col = 111};
	struct termios raw;

	must(openpty(&master_fd, &slave_fd, NULL, NULL, &size), "openpty");
	must(tcgetattr(slave_fd, &raw), "tcgetattr");
	cfmakeraw(&raw);
	must(tcsetattr(slave_fd, TCSANOW, &raw), "tcsetattr");
}

static void pty_check(void)
{
	struct winsize size = {0};
	struct termios mode;
	char c = 0;

	expect(ioctl(slave_fd, TIOCGWINSZ, &size) == 0 && size.ws_row == 37 && size.ws_col == 111,
	       "the window is %dx%d", size.ws_col, size.ws_row);
	expect(tcgetattr(slave_fd, &mode) == 0 && (mode.c_lflag & (ICANON | ECHO)) == 0,
	       "it is not raw any more");
	expect(write(master_fd, "m", 1) == 1 && readable(slave_fd, 5000) &&
		       read(slave_fd, &c, 1) == 1 && c == 'm',
	       "the slave got '%c'", c);
	expect(write(slave_fd, "s", 1) == 1 && readable(master_fd, 5000) &&
		       read(master_fd, &c, 1) == 1 && c == 's',
	       "the master got '%c'", c);
}

/* ---- a directory in /run that nobody but the program knows of ---- */

#define RUN_DIRECTORY "/run/everything.run"
#define RUN_SOCKET    RUN_DIRECTORY "/deep/socket"
#define RUN_NOTE      RUN_DIRECTORY "/note"

static int run_connect(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = RUN_SOCKET};
	int fd = must(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	int result = connect(fd, (struct sockaddr *)&address, sizeof(address));

	(void)close(fd);
	return result;
}

static int run_listener;

static void run_setup(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = RUN_SOCKET};
	int note;

	(void)unlink(RUN_SOCKET);
	must(mkdir(RUN_DIRECTORY, 0750) < 0 && errno != EEXIST ? -1 : 0, RUN_DIRECTORY);
	must(mkdir(RUN_DIRECTORY "/deep", 0700) < 0 && errno != EEXIST ? -1 : 0, "deep");
	must(chmod(RUN_DIRECTORY "/deep", 0710), "chmod"); /* whatever the umask */
	note = must(open(RUN_NOTE, O_WRONLY | O_CREAT | O_TRUNC, 0640), "note");
	must((int)write(note, "noted", 5), "write");
	must(close(note), "close");
	run_listener = must(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	must(bind(run_listener, (struct sockaddr *)&address, sizeof(address)), "bind");
	must(listen(run_listener, 5), "listen");
}

static void run_check(void)
{
	struct stat status;
	char text[8] = "";
	int note = open(RUN_NOTE, O_RDONLY), fd;

	expect(note >= 0 && read(note, text, sizeof(text)) == 5 && !strcmp(text, "noted"),
	       "the note in /run has \"%s\"", text);
	(void)close(note);
	expect(stat(RUN_DIRECTORY "/deep", &status) == 0 && (status.st_mode & 07777) == 0710,
	       "the mode of its directory is %o", (unsigned)status.st_mode);
	expect(run_connect() == 0, "no connection in /run: %s", strerror(errno));
	fd = accept(run_listener, NULL, NULL);
	(void)close(fd);
}

const Resource file_resources[] = {
	{"open files", open_setup, open_check},
	{"deleted file", deleted_setup, deleted_check},
	{"locks", lock_setup, lock_check},
	{"pipes", pipe_setup, pipe_check},
	{"terminal", pty_setup, pty_check},
	{"directory in /run", run_setup, run_check},
	{0},
};
