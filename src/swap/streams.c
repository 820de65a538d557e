/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "swap/paths.h"

#define JOURNAL_DIR     "/run/systemd/journal"
#define STREAM_NOTES    JOURNAL_DIR "/streams"
#define HOLDER_SOCKET   SEGUE_RUN_DIR "/streams"
#define DROPIN_DIR      "/run/systemd/system/systemd-journald.service.d"
#define STREAMS_MAX     250 /* descriptors in one message: SCM_MAX_FD is 253 */
#define HOLDER_LIMIT_MS (15 * 60 * 1000)

struct Streams {
	int listener;
	int ends[STREAMS_MAX]; /* journald's */
	size_t n;
};

static int unix_bind(const char *path, int type, Error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	(void)unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_errno(err, -errno, "Binding %s", path);
	(void)chmod(path, 0666);
	if (type == SOCK_STREAM && listen(fd, STREAMS_MAX) < 0)
		return error_errno(err, -errno, "Listening on %s", path);
	return steal_fd(&fd);
}

int streams_new(Streams **ret, Error *err)
{
	Streams *streams;
	int r = directory_make(AT_FDCWD, STREAM_NOTES, 0755, err);

	if (r < 0)
		return r;
	if (symlink(JOURNAL_DIR "/dev-log", "/dev/log") < 0 && errno != EEXIST)
		return error_errno(err, -errno, "Making /dev/log");
	streams = calloc(1, sizeof(*streams));
	if (!streams)
		return error_errno(err, -ENOMEM, "Preparing the journal's streams");
	streams->listener = unix_bind(JOURNAL_DIR "/stdout", SOCK_STREAM, err);
	if (streams->listener < 0) {
		r = streams->listener;
		free(streams);
		return r;
	}
	*ret = streams;
	return 0;
}

static int note_write(int end, const char *text, Error *err)
{
	_cleanup_free_ char *path = NULL;
	struct stat st;

	if (fstat(end, &st) < 0)
		return error_errno(err, -errno, "Looking at a stream");
	path = text_format(STREAM_NOTES "/%lu:%lu", (unsigned long)st.st_dev,
			   (unsigned long)st.st_ino);
	if (!path)
		return error_errno(err, -ENOMEM, "Noting a stream");
	return file_write_atomic(AT_FDCWD, path, text, strlen(text), 0640, err);
}

int streams_connect(Streams *streams, json_object *external, int *ret_fd, Error *err)
{
	const char *note = json_opt_string(external, "stream", "PRIORITY=6\nLEVEL_PREFIX=1\n");
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = JOURNAL_DIR "/stdout"};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), end = -1;
	int r;

	if (streams->n >= STREAMS_MAX)
		return error_set(err, -E2BIG, "More than %d streams to the journal", STREAMS_MAX);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_errno(err, -errno, "Connecting a stream to the journal");
	end = accept4(streams->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (end < 0)
		return error_errno(err, -errno, "Accepting a stream to the journal");
	/* Who sent a line is noted when it is sent, and only if the receiver wants to know then. */
	if (setsockopt(end, SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)) < 0)
		return error_errno(err, -errno, "Accepting a stream to the journal");
	/* As journald has them: it never writes. */
	(void)shutdown(end, SHUT_WR);
	(void)shutdown(fd, SHUT_RD);
	r = note_write(end, note, err);
	if (r < 0)
		return r;
	streams->ends[streams->n++] = steal_fd(&end);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int fds_send(int to, const int *fds, size_t n, const char *text, Error *err)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * STREAMS_MAX)];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(size_t)text, .iov_len = strlen(text)};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n);
	}
	if (sendmsg(to, &message, MSG_NOSIGNAL) < 0)
		return error_errno(err, -errno, "Sending descriptors");
	return 0;
}

/* The child: waits for the one that fetches, hands over, ends. */
static void holder_run(const Streams *streams, int socket_fd)
{
	struct pollfd p = {.fd = socket_fd, .events = POLLIN};
	int client;

	(void)prctl(PR_SET_NAME, "segue-streams");
	(void)setsid();
	if (poll(&p, 1, HOLDER_LIMIT_MS) <= 0)
		_exit(1);
	client = accept4(socket_fd, NULL, NULL, SOCK_CLOEXEC);
	_exit(client >= 0 && fds_send(client, streams->ends, streams->n, "s", NULL) == 0 ? 0 : 1);
}

int streams_hold(Streams *streams, Error *err)
{
	static const char dropin[] = "# Made by segue for the boot after a swap; see segue(8).\n"
				     "[Service]\n"
				     "NotifyAccess=all\n"
				     "ExecStartPre=+-" SEGUE_LIBEXECDIR "/segue-init streams\n";
	_cleanup_close_ int fd = -1;
	pid_t pid;
	int r;

	if (streams->n == 0)
		return 0;
	r = directory_make(AT_FDCWD, DROPIN_DIR, 0755, err);
	if (r == 0)
		r = file_write_atomic(AT_FDCWD, DROPIN_DIR "/50-segue.conf", dropin, strlen(dropin),
				      0644, err);
	if (r < 0)
		return r;
	fd = unix_bind(HOLDER_SOCKET, SOCK_STREAM, err);
	if (fd < 0)
		return fd;
	(void)chmod(HOLDER_SOCKET, 0600);
	pid = fork();
	if (pid < 0)
		return error_errno(err, -errno, "Leaving a holder of the journal's streams");
	if (pid == 0)
		holder_run(streams, fd);
	return 0;
}

static int fds_receive(int from, int *fds, size_t *ret_n, Error *err)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * STREAMS_MAX)];
	} control;
	char byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	const struct cmsghdr *c;

	*ret_n = 0;
	if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) < 0)
		return error_errno(err, -errno, "Receiving descriptors");
	c = CMSG_FIRSTHDR(&message);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return 0;
	*ret_n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(c), *ret_n * sizeof(int));
	return 0;
}

static int unix_connect(const char *path, int type, Error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_errno(err, -errno, "Connecting to %s", path);
	return steal_fd(&fd);
}

/* Waits until the service manager has seen what was sent before (sd_notify(3), BARRIER=1): this
 * process is looked up by its PID, which must not be gone by then. */
static int manager_wait(int manager, Error *err)
{
	int pipe_fds[2], r;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "Waiting for the service manager");
	r = fds_send(manager, &pipe_fds[1], 1, "BARRIER=1", err);
	(void)close(pipe_fds[1]);
	if (r == 0) {
		struct pollfd p = {.fd = pipe_fds[0], .events = POLLHUP};

		if (poll(&p, 1, 10000) <= 0)
			r = error_set(err, -ETIMEDOUT, "The service manager does not answer");
	}
	(void)close(pipe_fds[0]);
	return r;
}

int streams_give(Error *err)
{
	const char *notify = getenv("NOTIFY_SOCKET");
	int fds[STREAMS_MAX], r;
	size_t n = 0;
	_cleanup_close_ int holder = -1, manager = -1;

	if (!notify)
		return error_set(
			err, -EINVAL,
			"NOTIFY_SOCKET is not set; only systemd-journald.service runs this");
	holder = unix_connect(HOLDER_SOCKET, SOCK_STREAM, err);
	if (holder < 0)
		return holder;
	manager = unix_connect(notify, SOCK_DGRAM, err);
	if (manager < 0)
		return manager;
	r = fds_receive(holder, fds, &n, err);
	if (r == 0 && n > 0)
		r = fds_send(manager, fds, n, "FDSTORE=1", err);
	(void)unlink(HOLDER_SOCKET);
	return r < 0 ? r : manager_wait(manager, err);
}
