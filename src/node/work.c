/* SPDX-License-Identifier: Apache-2.0 */
#include "node/work.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"

/* Where the child has what it keeps of segued's descriptors. */
enum { CHILD_RESULT_FD = 3, CHILD_LOCK_FD, CHILD_CLOSE_FROM };

typedef struct Work {
	sd_event_source *child;
	int result_fd; /* a file in memory that the child writes and segued reads when it has ended
			*/
	WorkDone *done;
	void *data;
} Work;

static void work_free(Work *work)
{
	if (!work)
		return;
	(void)sd_event_source_unref(work->child);
	if (work->result_fd >= 0)
		(void)close(work->result_fd);
	free(work);
}

static void cleanup_work(Work **work)
{
	work_free(*work);
}

static void result_write(int fd, int code, const char *message, json_object *body)
{
	_cleanup_json_ json_object *result = json_object_new_object();
	const char *text;

	json_put_int(result, "code", code);
	json_put_string(result, "message", message);
	(void)json_object_object_add(result, "body", body);
	text = json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN);
	if (text)
		(void)file_write_all(fd, text, strlen(text), NULL);
}

/* Moves a descriptor to a number above all that are wanted, so that none is overwritten. */
static int descriptor_lift(int fd)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, CHILD_CLOSE_FROM);
}

static void child_run(const char *name, Answer *answer, const Question *question, int result_fd,
		      int lock_fd)
{
	int result = descriptor_lift(result_fd), lock = descriptor_lift(lock_fd);
	json_object *body = NULL;
	Error err = {0};
	sigset_t none;
	int r;

	/* The clients of segued, its sockets and its event loop are none of the child's business:
	 * held open here they would outlive segued. */
	if (result < 0 || dup3(result, CHILD_RESULT_FD, O_CLOEXEC) < 0)
		_exit(1);
	if (lock >= 0 ? dup3(lock, CHILD_LOCK_FD, O_CLOEXEC) < 0
		      : (close(CHILD_LOCK_FD) < 0 && errno != EBADF))
		_exit(1);
	(void)close_range(CHILD_CLOSE_FROM, ~0U, 0);
	(void)prctl(PR_SET_NAME, name);
	/* segued speaks for the service.  Nothing else reads the environment meanwhile. */
	(void)unsetenv("NOTIFY_SOCKET"); /* NOLINT(concurrency-mt-unsafe) */
	(void)unsetenv("WATCHDOG_USEC"); /* NOLINT(concurrency-mt-unsafe) */
	(void)unsetenv("WATCHDOG_PID");  /* NOLINT(concurrency-mt-unsafe) */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);

	r = answer(question, &body, &err);
	if (r < 0 && err.code >= 0)
		(void)error_errno(&err, r, "%s", name);
	result_write(CHILD_RESULT_FD, r < 0 ? r : 0, err.text, r < 0 ? NULL : body);
	_exit(0);
}

/* What the child has written. */
static int result_read(const Work *work, const siginfo_t *info, json_object **ret_body, Error *err)
{
	_cleanup_free_ char *path = text_format("/proc/self/fd/%d", work->result_fd);
	_cleanup_json_ json_object *result = NULL;
	json_object *body;
	int64_t code;

	if (info->si_code != CLD_EXITED)
		return error_set(err, -EIO,
				 "segued's process %d was killed by signal %d; see journalctl -u "
				 "segued",
				 (int)info->si_pid, info->si_status);
	if (!path || json_read(AT_FDCWD, path, &result, NULL) < 0 ||
	    json_get_int(result, "code", &code, NULL) < 0)
		return error_set(err, -EIO,
				 "segued's process %d left no result; see journalctl -u segued",
				 (int)info->si_pid);
	if (code < 0)
		return error_set(err, (int)code, "%s",
				 json_opt_string(result, "message", "failed"));
	*ret_body = json_object_object_get_ex(result, "body", &body) ? json_object_get(body) : NULL;
	return 0;
}

static int on_child(sd_event_source *source, const siginfo_t *info, void *data)
{
	_cleanup_(cleanup_work) Work *work = data;
	_cleanup_json_ json_object *body = NULL;
	Error err = {0};

	(void)result_read(work, info, &body, &err);
	work->done(body, &err, work->data);
	return 0;
}

int work_start(sd_event *event, const char *name, Answer *answer, const Question *question,
	       int lock_fd, WorkDone *done, void *data, pid_t *ret_pid, Error *err)
{
	_cleanup_(cleanup_work) Work *work = calloc(1, sizeof(*work));
	_cleanup_close_ int lock = lock_fd;
	pid_t pid;
	int r;

	if (!work)
		return error_errno(err, -ENOMEM, "Starting to work on %s", name);
	work->done = done;
	work->data = data;
	work->result_fd = memfd_create("segued-result", MFD_CLOEXEC);
	if (work->result_fd < 0)
		return error_errno(err, -errno, "Starting to work on %s", name);
	pid = fork();
	if (pid < 0)
		return error_errno(err, -errno, "Starting to work on %s", name);
	if (pid == 0)
		child_run(name, answer, question, work->result_fd, lock);
	r = sd_event_add_child(event, &work->child, pid, WEXITED, on_child, work);
	if (r < 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return error_errno(err, r, "Starting to work on %s", name);
	}
	(void)steal_ptr(&work);
	if (ret_pid)
		*ret_pid = pid;
	return 0;
}
