/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that tell of events: epoll, timers, event counters, signals, inotify. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "everything.h"

#define LIMIT_MS 20000

/* ---- eventfd and epoll ---- */

static int event_fd, semaphore_fd, epoll_fd;

static void epoll_setup(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = 0x1234567890}};

	event_fd = must(eventfd(42, EFD_NONBLOCK), "eventfd");
	semaphore_fd = must(eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK), "eventfd");
	epoll_fd = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, &event), "epoll_ctl");
	event.data.u64 = 5;
	event.events = EPOLLOUT | EPOLLET;
	must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, semaphore_fd, &event), "epoll_ctl");
}

static void epoll_check(void)
{
	struct epoll_event events[4] = {0};
	uint64_t value = 0;
	bool found = false;
	int n = epoll_wait(epoll_fd, events, 4, 0);

	for (int i = 0; i < n; i++)
		found = found || events[i].data.u64 == 0x1234567890;
	expect(found, "epoll does not tell of the event counter (%d events)", n);
	expect(read(event_fd, &value, sizeof(value)) == sizeof(value) && value == 42,
	       "the event counter was %llu", (unsigned long long)value);
	value = 42;
	expect(write(event_fd, &value, sizeof(value)) == sizeof(value), "cannot write: %s",
	       strerror(errno));
	expect(read(semaphore_fd, &value, sizeof(value)) == sizeof(value) && value == 1,
	       "the semaphore gave %llu", (unsigned long long)value);
	value = 1;
	expect(write(semaphore_fd, &value, sizeof(value)) == sizeof(value), "cannot write: %s",
	       strerror(errno));
}

/* ---- timers ---- */

static int periodic_fd, far_fd;
static timer_t posix_timer;

#define FAR_S 100000

static void timer_setup(void)
{
	struct itimerspec often = {.it_value = {.tv_nsec = 50000000},
				   .it_interval = {.tv_nsec = 50000000}};
	struct itimerspec once = {.it_value = {.tv_sec = FAR_S}};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};

	periodic_fd = must(timerfd_create(CLOCK_MONOTONIC, 0), "timerfd_create");
	must(timerfd_settime(periodic_fd, 0, &often, NULL), "timerfd_settime");
	far_fd = must(timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK), "timerfd_create");
	must(timerfd_settime(far_fd, 0, &once, NULL), "timerfd_settime");
	must(timer_create(CLOCK_MONOTONIC, &event, &posix_timer), "timer_create");
	must(timer_settime(posix_timer, 0, &once, NULL), "timer_settime");
}

static void timer_check(void)
{
	struct itimerspec left = {0};
	uint64_t n = 0;

	expect(readable(periodic_fd, LIMIT_MS) && read(periodic_fd, &n, sizeof(n)) == sizeof(n) &&
		       n > 0,
	       "the periodic timer does not expire");
	expect(timerfd_gettime(periodic_fd, &left) == 0 && left.it_interval.tv_nsec == 50000000,
	       "the period is %ld ns", left.it_interval.tv_nsec);
	expect(timerfd_gettime(far_fd, &left) == 0 && left.it_value.tv_sec > 0 &&
		       left.it_value.tv_sec <= FAR_S,
	       "the far timer has %lld s left", (long long)left.it_value.tv_sec);
	expect(timer_gettime(posix_timer, &left) == 0 && left.it_value.tv_sec > 0 &&
		       left.it_value.tv_sec <= FAR_S,
	       "the POSIX timer has %lld s left", (long long)left.it_value.tv_sec);
}

/* ---- signals: mask, pending ones, a descriptor of them, a handler, an alternate stack ---- */

static int signal_fd;
static volatile sig_atomic_t handled;
static char alternate[65536];

static void on_signal(int signal)
{
	handled = signal;
}

static void signal_setup(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESTART};
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	signal_fd = must(signalfd(-1, &set, SFD_NONBLOCK), "signalfd");
	sigaddset(&set, SIGUSR2);
	must(sigprocmask(SIG_BLOCK, &set, NULL), "sigprocmask");
	must(raise(SIGUSR2), "raise");
	must(sigaction(SIGURG, &action, NULL), "sigaction");
	must(sigaltstack(&stack, NULL), "sigaltstack");
	(void)signal(SIGPIPE, SIG_IGN);
}

static void signal_check(void)
{
	struct signalfd_siginfo info = {0};
	struct sigaction action;
	sigset_t set;
	stack_t stack;

	expect(sigprocmask(SIG_BLOCK, NULL, &set) == 0 && sigismember(&set, SIGUSR1) &&
		       sigismember(&set, SIGUSR2) && !sigismember(&set, SIGURG),
	       "the mask changed");
	expect(sigpending(&set) == 0 && sigismember(&set, SIGUSR2), "SIGUSR2 is not pending");
	(void)raise(SIGUSR1);
	expect(read(signal_fd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGUSR1,
	       "the descriptor gave signal %u", info.ssi_signo);
	handled = 0;
	(void)raise(SIGURG);
	expect(handled == SIGURG, "the handler was not called");
	expect(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_IGN,
	       "SIGPIPE is not ignored");
	expect(sigaltstack(NULL, &stack) == 0 && stack.ss_sp == alternate,
	       "the alternate stack is another");
}

/* ---- inotify ---- */

static int inotify_fd, watch;

static void inotify_setup(void)
{
	int fd = must(open("watched", O_RDWR | O_CREAT | O_CLOEXEC, 0600), "watched");

	inotify_fd = must(inotify_init1(IN_NONBLOCK), "inotify_init1");
	watch = must(inotify_add_watch(inotify_fd, "watched", IN_ATTRIB), "inotify_add_watch");
	(void)close(fd);
}

static void inotify_check(void)
{
	union {
		struct inotify_event event;
		char bytes[1024];
	} buffer = {.bytes = {0}};

	expect(utimensat(AT_FDCWD, "watched", NULL, 0) == 0, "cannot touch: %s", strerror(errno));
	expect(readable(inotify_fd, LIMIT_MS) &&
		       read(inotify_fd, &buffer, sizeof(buffer)) >= (ssize_t)sizeof(buffer.event) &&
		       buffer.event.wd == watch && buffer.event.mask == IN_ATTRIB,
	       "event %x of watch %d, which was %d", buffer.event.mask, buffer.event.wd, watch);
}

const Resource event_resources[] = {
	{"epoll and eventfd", epoll_setup, epoll_check},
	{"timers", timer_setup, timer_check},
	{"signals", signal_setup, signal_check},
	{"inotify", inotify_setup, inotify_check},
	{0},
};
