/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/lazy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "swap/cgroup.h"
#include "swap/pagemap.h"
#include "swap/paths.h"
#include "swap/space.h"

#define SOCKET_NAME      "lazy-pages.socket" /* LAZY_PAGES_SOCK_NAME in criu/uffd.c */
#define RESTORE_FINISHED 0x52535446          /* LAZY_PAGES_RESTORE_FINISHED */
#define LOST             "lost "
#define TELL_PERIOD_US   250000
#define KILL_LIMIT_MS    1000
#define HELD_PERIOD_MS   100

/* The server's descriptors, and the guard's. */
enum {
	FD_SOCKET = 3, /* listens, later the connection to criu */
	FD_IMAGES,
	FD_GO,    /* has an end when the programs run */
	FD_GUARD, /* the other process */
	FD_FIRST_FREE,
};

typedef struct Server {
	pid_t tree;
	Spaces spaces;
	PageMap *maps; /* one a process */
	size_t n_maps;
	pid_t coming; /* process whose userfaultfd comes next; 0: none */
	bool connected, finished, going;
	int64_t told_us;
} Server;

/* ---- telling what is left ---- */

static void left_tell(pid_t tree, const char *text)
{
	_cleanup_free_ char *path = text_format(SEGUE_ARRIVING_DIR "/%d", (int)tree);

	if (path)
		(void)file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, NULL);
}

static void left_tell_bytes(Server *server)
{
	int64_t now = clock_monotonic_us();
	char text[24];

	if (now - server->told_us < TELL_PERIOD_US)
		return;
	server->told_us = now;
	(void)snprintf(text, sizeof(text), "%llu\n",
		       (unsigned long long)spaces_missing(&server->spaces));
	left_tell(server->tree, text);
}

/* The content of the next file; NULL after the last. */
static char *told_next(DIR *dir)
{
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *text;

		if (entry->d_name[0] != '.' &&
		    file_read_line(dirfd(dir), entry->d_name, &text, NULL) == 0)
			return text;
	}
	return NULL;
}

bool lazy_arrives(int64_t *ret_bytes)
{
	_cleanup_closedir_ DIR *dir = opendir(SEGUE_ARRIVING_DIR);
	bool arrives = false;
	char *text;

	*ret_bytes = 0;
	for (; (text = told_next(dir)); free(text)) {
		if (text_has_prefix(text, LOST))
			continue;
		arrives = true;
		*ret_bytes += strtoll(text, NULL, 10);
	}
	return arrives;
}

bool lazy_lost(const char *cgroup)
{
	_cleanup_closedir_ DIR *dir = opendir(SEGUE_ARRIVING_DIR);
	bool lost = false;
	char *text;

	for (; (text = told_next(dir)); free(text))
		lost = lost ||
		       (text_has_prefix(text, LOST) && strcmp(text + strlen(LOST), cgroup) == 0);
	return lost;
}

bool lazy_is_possible(void)
{
	_cleanup_close_ int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = {.api = UFFD_API,
				 .features = UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP |
					     UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP};

	return fd >= 0 && ioctl(fd, UFFDIO_API, &api) == 0;
}

/* ---- from criu ---- */

static int fd_send(int socket, int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	char byte = 'f';
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room)};

	control.align = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	return sendmsg(socket, &message, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* Receives one byte and, with it or not, a descriptor.  0: the other end is gone. */
static ssize_t fd_receive(int socket, char *ret_byte, int *ret_fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	char byte = 0;
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room)};
	ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);

	*ret_byte = byte;
	*ret_fd = -1;
	if (n == 1 && message.msg_controllen >= sizeof(struct cmsghdr) &&
	    control.align.cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(&control.align), sizeof(*ret_fd));
	return n;
}

static int process_add(Server *server, int uffd, Error *err)
{
	PageMap *more = realloc(server->maps, (server->n_maps + 1) * sizeof(*more));
	int r;

	if (!more)
		return error_errno(err, -ENOMEM, "Mapping memory");
	server->maps = more;
	r = pagemap_open(FD_IMAGES, server->coming, &more[server->n_maps], err);
	if (r < 0)
		return r;
	server->n_maps++;
	server->coming = 0;
	server->told_us = 0;
	if (fd_send(FD_GUARD, uffd) < 0)
		return error_errno(err, -EIO, "Telling the guard");
	return spaces_add(&server->spaces, uffd, &more[server->n_maps - 1], err);
}

/* What criu sends, for each process: its PID, as an int, and then its userfaultfd, with one byte;
 * for one that is dead, its PID negative; and when all are made, RESTORE_FINISHED. */
static int criu_read(Server *server, Error *err)
{
	int32_t number;
	ssize_t n;

	if (server->coming > 0) {
		char byte;
		int uffd;

		if (fd_receive(FD_SOCKET, &byte, &uffd) != 1 || uffd < 0)
			return error_set(err, -EPROTO, "criu sent no userfaultfd");
		return process_add(server, uffd, err);
	}
	n = recv(FD_SOCKET, &number, sizeof(number), MSG_WAITALL);
	if (n == 0 || (n < 0 && errno == ECONNRESET)) {
		/* Without having finished it has killed what it made. */
		if (!server->finished)
			exit(EXIT_SUCCESS);
		server->connected = false;
		return 0;
	}
	if (n != (ssize_t)sizeof(number))
		return error_set(err, -EPROTO, "criu sent %zd bytes", n);
	if (number == RESTORE_FINISHED)
		server->finished = true;
	else if (number > 0)
		server->coming = number;
	return 0;
}

static int criu_accept(Server *server, Error *err)
{
	int fd = accept4(FD_SOCKET, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 || dup3(fd, FD_SOCKET, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "Waiting for criu");
	(void)close(fd);
	server->connected = true;
	return 0;
}

/* ---- serving ---- */

static int forked(int uffd, void *userdata)
{
	(void)userdata;
	return fd_send(FD_GUARD, uffd);
}

static int events_handle(Server *server, const struct pollfd *polled, Error *err)
{
	int r = 0;

	if (polled[0].revents)
		r = server->connected ? criu_read(server, err) : criu_accept(server, err);
	if (polled[1].revents)
		server->going = true;
	return r;
}

static bool is_held_up(void)
{
	return fault_point("memory-bring", NULL) < 0;
}

static int server_turn(Server *server, Error *err)
{
	bool busy = server->going && server->finished && spaces_missing(&server->spaces) > 0;
	bool held = busy && is_held_up();
	size_t n = server->spaces.n;
	struct pollfd *polled = calloc(n + 2, sizeof(*polled));
	int r = 0, ready;

	if (!polled)
		return error_errno(err, -ENOMEM, "Waiting");
	polled[0] =
		(struct pollfd){server->finished && !server->connected ? -1 : FD_SOCKET, POLLIN, 0};
	polled[1] = (struct pollfd){server->going ? -1 : FD_GO, POLLIN, 0};
	for (size_t i = 0; i < n; i++)
		polled[i + 2] = (struct pollfd){server->spaces.spaces[i].uffd, POLLIN, 0};
	ready = poll(polled, n + 2, held ? HELD_PERIOD_MS : busy ? 0 : -1);
	if (ready < 0 && errno != EINTR)
		r = error_errno(err, -errno, "Waiting");
	if (ready > 0)
		r = events_handle(server, polled, err);
	for (size_t i = 0; r == 0 && ready > 0 && i < n; i++)
		if (polled[i + 2].revents)
			r = spaces_event(&server->spaces, i, forked, NULL, err);
	/* Whoever waits for a page goes first; but a program that touches one page after the other
	 * is served best by all of them being there. */
	if (r == 0 && busy && !held)
		r = spaces_bring(&server->spaces, err);
	free(polled);
	return r;
}

static bool is_complete(const Server *server)
{
	return server->going && server->finished && spaces_missing(&server->spaces) == 0;
}

static void server_run(pid_t tree)
{
	Server server = {.tree = tree};
	Error err = {0};
	int log;

	(void)prctl(PR_SET_NAME, "segue-memory");
	while (!is_complete(&server)) {
		if (server_turn(&server, &err) < 0) {
			log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
			(void)dprintf(log, "<3>segue: memory of the programs of %d: %s\n",
				      (int)tree, err.text);
			_exit(EXIT_FAILURE);
		}
		left_tell_bytes(&server);
	}
	/* The guard lets go, and removes what was told, before the last descriptor is closed. */
	_exit(write(FD_GUARD, "d", 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* ---- the guard ---- */

static void programs_kill(const char *cgroup, pid_t tree)
{
	_cleanup_free_ char *text = text_format(LOST "%s\n", cgroup);
	_cleanup_close_ int fd = -1;

	if (text)
		left_tell(tree, text);
	/* Until they are gone, or for ever: better that they wait than that they see zeros. */
	while (cgroup_open(cgroup, false, &fd, NULL) < 0 || cgroup_kill(fd, cgroup, NULL) < 0 ||
	       cgroup_wait_empty(fd, cgroup, KILL_LIMIT_MS, NULL) < 0) {
		cleanup_close(&fd);
		(void)poll(NULL, 0, KILL_LIMIT_MS);
	}
}

/* Descriptors that come are kept by having them. */
static void guard_run(const char *cgroup, pid_t tree)
{
	_cleanup_free_ char *path = text_format(SEGUE_ARRIVING_DIR "/%d", (int)tree);
	int fd, status;
	char byte = 0;

	(void)prctl(PR_SET_NAME, "segue-guard");
	while (fd_receive(FD_GUARD, &byte, &fd) == 1 && byte != 'd')
		;
	(void)wait(&status);
	if (byte != 'd' && (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS)) {
		programs_kill(cgroup, tree);
		_exit(EXIT_FAILURE);
	}
	if (path)
		(void)unlink(path);
	_exit(EXIT_SUCCESS);
}

/* ---- starting ---- */

static int socket_make(int images_fd, Error *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" SOCKET_NAME,
		       images_fd);
	(void)unlinkat(images_fd, SOCKET_NAME, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 1) < 0)
		return error_errno(err, -errno, "Listening for criu");
	return steal_fd(&fd);
}

/* Puts the process's descriptors where they are expected, and closes all others; -1 is left out. */
static void descriptors_arrange(const int fds[4])
{
	int safe[4];

	for (int i = 0; i < 4; i++)
		safe[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, 64);
	for (int i = 0; i < 4; i++) {
		(void)close(FD_SOCKET + i);
		if (safe[i] >= 0 && dup3(safe[i], FD_SOCKET + i, O_CLOEXEC) < 0)
			_exit(EXIT_FAILURE);
	}
	(void)close_range(FD_FIRST_FREE, ~0U, 0);
	/* The kernel must not choose these when it is out of memory. */
	(void)file_write_value(AT_FDCWD, "/proc/self/oom_score_adj", "-1000", NULL);
}

static void processes_run(int socket, int images_fd, int go, const char *cgroup, pid_t tree)
{
	int pair[2];
	pid_t server;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		_exit(EXIT_FAILURE);
	(void)setsid();
	left_tell(tree, "0\n");
	server = fork();
	if (server < 0)
		_exit(EXIT_FAILURE);
	if (server == 0) {
		descriptors_arrange((const int[4]){socket, images_fd, go, pair[0]});
		server_run(tree);
	}
	descriptors_arrange((const int[4]){-1, -1, -1, pair[1]});
	guard_run(cgroup, tree);
}

int lazy_start(int images_fd, const char *cgroup, pid_t pid, int *ret_go, Error *err)
{
	_cleanup_close_ int listening = -1;
	int go[2], r = directory_make(AT_FDCWD, SEGUE_ARRIVING_DIR, 0700, err);
	pid_t guard;

	if (r < 0)
		return r;
	listening = socket_make(images_fd, err);
	if (listening < 0)
		return listening;
	if (pipe2(go, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "Starting the server of memory");
	guard = fork();
	if (guard == 0)
		processes_run(listening, images_fd, go[0], cgroup, pid);
	(void)close(go[0]);
	if (guard < 0) {
		(void)close(go[1]);
		return error_errno(err, -EAGAIN, "Starting the server of memory");
	}
	*ret_go = go[1];
	return 0;
}
