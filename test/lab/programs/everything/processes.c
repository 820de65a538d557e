/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: themselves, children, a zombie, threads, limits, one that is confined. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "everything.h"

enum { BEAT_CHILD, BEAT_GRANDCHILD, BEAT_THREAD, BEAT_CONFINED };

/* A beat that is missing for as many rounds is a stop, not a wait for the processor. */
#define BEAT_ROUNDS 200

/* ---- itself ---- */

static pid_t own_pid, own_session, own_group;
static char directory[4096];

static void self_setup(void)
{
	struct rlimit limit = {.rlim_cur = 777, .rlim_max = 1000};

	own_pid = getpid();
	own_session = getsid(0);
	own_group = getpgrp();
	if (!getcwd(directory, sizeof(directory)))
		give_up("getcwd");
	(void)umask(0137);
	must(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
	must(prctl(PR_SET_NAME, "every-thing"), "PR_SET_NAME");
	must(setpriority(PRIO_PROCESS, 0, 3), "setpriority");
	must(setenv("EVERYTHING", "yes", 1), "setenv");
}

static void self_check(void)
{
	char now[4096] = "", name[16] = "";
	struct rlimit limit = {0};
	mode_t mask = umask(0137);

	expect(getpid() == own_pid && getsid(0) == own_session && getpgrp() == own_group,
	       "process %d, session %d, group %d, which were %d, %d, %d", getpid(), getsid(0),
	       getpgrp(), own_pid, own_session, own_group);
	expect(getcwd(now, sizeof(now)) && !strcmp(now, directory), "the directory is %s", now);
	expect(mask == 0137, "the umask is %o", mask);
	expect(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 777 &&
		       limit.rlim_max == 1000,
	       "the limit of open files is %llu", (unsigned long long)limit.rlim_cur);
	expect(prctl(PR_GET_NAME, name) == 0 && !strcmp(name, "every-thing"), "the name is %s",
	       name);
	expect(getpriority(PRIO_PROCESS, 0) == 3, "the nice value is %d",
	       getpriority(PRIO_PROCESS, 0));
	expect(getenv("EVERYTHING") != NULL, "the environment changed");
}

/* ---- beats ---- */

static void beat(int which)
{
	atomic_fetch_add(&shared->heartbeats[which], 1);
}

static void beat_check(int which, const char *who)
{
	static uint64_t last[4];
	static unsigned missing[4];
	uint64_t now = shared->heartbeats[which];

	missing[which] = now == last[which] ? missing[which] + 1 : 0;
	if (missing[which] == BEAT_ROUNDS)
		violation("%s has stopped", who);
	last[which] = now;
}

/* ---- children: one with a child of its own in a session of its own, and a zombie ---- */

static pid_t child, zombie;

static void grandchild_loop(void)
{
	pid_t session = setsid(), parent = getppid();

	for (;;) {
		expect(getsid(0) == session && getppid() == parent,
		       "the grandchild's session is %d, its parent %d", getsid(0), getppid());
		beat(BEAT_GRANDCHILD);
		(void)readable(-1, 200);
	}
}

static void child_loop(void)
{
	pid_t grandchild = helper(grandchild_loop), parent = getppid(), self = getpid();

	for (;;) {
		expect(getpid() == self && getppid() == parent, "child %d of %d, was %d of %d",
		       getpid(), getppid(), self, parent);
		expect(waitpid(grandchild, NULL, WNOHANG) == 0, "the grandchild has ended");
		beat(BEAT_CHILD);
		(void)readable(-1, 200);
	}
}

static void child_setup(void)
{
	siginfo_t info;

	child = helper(child_loop);
	zombie = must(fork(), "fork");
	if (zombie == 0)
		_exit(7);
	must(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT), "waitid");
}

static void child_check(void)
{
	siginfo_t info = {0};

	expect(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT | WNOHANG) == 0 &&
		       info.si_pid == zombie && info.si_code == CLD_EXITED && info.si_status == 7,
	       "the zombie's status is %d", info.si_status);
	expect(waitpid(child, NULL, WNOHANG) == 0, "the child has ended");
	beat_check(BEAT_CHILD, "the child");
	beat_check(BEAT_GRANDCHILD, "the grandchild");
}

/* ---- threads ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static unsigned asked, answered;
static _Thread_local pid_t thread_local_id;

static void *thread_loop(void *unused)
{
	(void)unused;
	thread_local_id = gettid();
	(void)prctl(PR_SET_NAME, "answerer");
	(void)pthread_mutex_lock(&mutex);
	for (;;) {
		char name[16] = "";

		while (answered == asked)
			(void)pthread_cond_wait(&condition, &mutex);
		expect(gettid() == thread_local_id, "thread %d was %d", gettid(), thread_local_id);
		expect(prctl(PR_GET_NAME, name) == 0 && !strcmp(name, "answerer"),
		       "the thread's name is %s", name);
		answered = asked;
		beat(BEAT_THREAD);
		(void)pthread_cond_broadcast(&condition);
	}
	return NULL;
}

static void thread_setup(void)
{
	for (int i = 0; i < 3; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, thread_loop, NULL) != 0)
			give_up("pthread_create");
	}
}

static void thread_check(void)
{
	(void)pthread_mutex_lock(&mutex);
	asked++;
	(void)pthread_cond_broadcast(&condition);
	while (answered != asked)
		(void)pthread_cond_wait(&condition, &mutex);
	(void)pthread_mutex_unlock(&mutex);
	beat_check(BEAT_THREAD, "the threads");
}

/* ---- confined: a seccomp filter, fewer capabilities, no new privileges, another user ---- */

static uint32_t capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	(void)syscall(SYS_capget, &header, data);
	return data[0].effective;
}

static void confine(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	uint32_t wanted = 1U << CAP_NET_BIND_SERVICE | 1U << CAP_SETUID;
	struct __user_cap_data_struct data[2] = {{.effective = wanted, .permitted = wanted}};
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_personality, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTNAM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};

	must(prctl(PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0), "PR_CAPBSET_DROP");
	must((int)syscall(SYS_capset, &header, data), "capset");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS");
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "PR_SET_SECCOMP");
}

static void confined_loop(void)
{
	uint32_t before;

	confine();
	before = capabilities();
	for (;;) {
		expect(syscall(SYS_personality, 0xffffffff) < 0 && errno == ENOTNAM,
		       "the filter lets personality() through");
		expect(prctl(PR_GET_SECCOMP) == 2 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
		       "it is not confined any more");
		expect(capabilities() == before, "the capabilities are %x, which were %x",
		       capabilities(), before);
		expect(prctl(PR_CAPBSET_READ, CAP_SYS_TIME) == 0, "the bounding set has grown");
		beat(BEAT_CONFINED);
		(void)readable(-1, 200);
	}
}

static void confined_setup(void)
{
	(void)helper(confined_loop);
}

static void confined_check(void)
{
	beat_check(BEAT_CONFINED, "the confined process");
}

const Resource process_resources[] = {
	{"itself", self_setup, self_check},
	{"children", child_setup, child_check},
	{"threads", thread_setup, thread_check},
	{"confined process", confined_setup, confined_check},
	{0},
};
