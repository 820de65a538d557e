/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segue-criu.so: loaded into an unmodified criu with LD_PRELOAD.
 *
 * It gives criu nine things for which it has no option; the last three are in events.c, peers.c and
 * infect.c:
 *
 * 1. It enters the namespaces of the unit (SEGUE_NAMESPACES: descriptor numbers, comma separated)
 *    after the dynamic loader is through, before main().  A sandboxed unit must be dumped from
 *    inside its mount namespace (from outside, CRIU sees "unreachable sharing" in what systemd
 *    mounted), but inside, the sandbox may forbid to execute or map criu and its libraries
 *    (NoExecPaths=).  By now they are mapped.
 *
 * 2. With SEGUE_IGNORE_USERNS set, the user namespace of every task looks like criu's own.
 *    A unit with PrivateUsers= has a user namespace of its own but the host's network, IPC and
 *    PID namespaces, which CRIU refuses ("One or more namespaces doesn't belong to the target user
 *    namespace", criu/namespaces.c: CRIU re-creates the user namespace first and would own nothing
 *    in the others).  segue sets this only for units whose processes have no capability in their
 *    user namespace and cannot gain one, with identity-mapped ids; outside, they are equally
 *    powerless.
 *
 * 3. A barrier: criu is called with --action-script segue-barrier.  criu announces each stage by
 *    setenv("CRTOOLS_SCRIPT_ACTION", STAGE) and then runs the script (criu/action-scripts.c).  At
 *    the stage "pre-resume", when all tasks of a tree are restored and stand still, the setenv()
 *    here writes a byte to the descriptor SEGUE_BARRIER_READY and waits for one from
 *    SEGUE_BARRIER_GO; so no tree runs before all trees are known to be restored.  The "script"
 *    itself succeeds without being executed.
 *
 * 4. A system call that the kernel would go on with by restart_syscall(2), poll() for one, begins
 *    anew in a task that was dumped.  criu lets it fail with EINTR, though no signal came, in the
 *    restored task and in one that is left running (compel_get_task_regs() in
 *    compel/arch/x86/src/lib/infect.c), and many a program takes that for an error and ends.  The
 *    time-outs of such calls are relative, and begin anew as well.
 *
 * 5. With SEGUE_GENTLE set, what criu does once the programs run again has the lowest priority.  A
 *    round of copying in advance stops them only to hand their pages to pipes, at full speed; what
 *    is spliced from there to the images (criu/page-xfer.c) is not to take processor and disk from
 *    them.
 *
 * 6. With SEGUE_PROBE set, criu does not look at what only a dump wants to know of the kernel: the
 *    sock_diag modules, for which kerndat_init() in criu/kerndat.c has the kernel run modprobe, and
 *    whether links tell of the namespace of their peer, for which it makes a second network
 *    namespace and a veth.  It takes both for missing, and nftables' sets as well; what it leaves
 *    in /run/criu.kdat is for restoring only.
 */
/* Without this, <sys/stat.h> makes fstatat another name for fstatat64; here both are to be defined.
 */
#undef _FILE_OFFSET_BITS

#include <errno.h>
#include <fcntl.h>
#include <linux/elf.h>
#include <linux/futex.h>
#include <linux/netlink.h>
#include <linux/ptrace.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#include "criu/infect.h"
#include "criu/next.h"

#define EXIT_SHIM 121

/* Of <linux/ioprio.h>: best effort, the last of its eight levels. */
#define IO_WHO_PROCESS 1
#define IO_LAST        (2 << 13 | 7)
#define NICE_LAST      19

static bool ignore_userns, gentle, probe;
static int barrier_ready = -1, barrier_go = -1;

static int env_fd(const char *name)
{
	const char *value = getenv(name);

	return value ? (int)strtol(value, NULL, 10) : -1;
}

static void enter_namespaces(const char *list)
{
	while (*list) {
		char *end;
		int fd = (int)strtol(list, &end, 10);

		if (end == list || setns(fd, 0) < 0) {
			(void)dprintf(2,
				      "segue-criu: entering the namespace of descriptor %.8s: %s\n",
				      list, strerror(errno));
			_exit(EXIT_SHIM);
		}
		(void)close(fd);
		list = *end == ',' ? end + 1 : end;
	}
}

__attribute__((constructor)) static void shim_start(void)
{
	const char *namespaces = getenv("SEGUE_NAMESPACES");

	ignore_userns = getenv("SEGUE_IGNORE_USERNS") != NULL;
	gentle = getenv("SEGUE_GENTLE") != NULL;
	probe = getenv("SEGUE_PROBE") != NULL;
	barrier_ready = env_fd("SEGUE_BARRIER_READY");
	barrier_go = env_fd("SEGUE_BARRIER_GO");
	if (namespaces)
		enter_namespaces(namespaces);
}

/* criu/namespaces.c takes the inode of ns/NAME below a task's /proc directory for its identity. */
static int stat_namespace(int (*real)(int, const char *, struct stat *, int), int dirfd,
			  const char *path, struct stat *st, int flags)
{
	if (ignore_userns && strcmp(path, "ns/user") == 0)
		return real(AT_FDCWD, "/proc/self/ns/user", st, flags);
	return real(dirfd, path, st, flags);
}

int fstatat(int dirfd, const char *restrict path, struct stat *restrict st, int flags)
{
	static int (*real)(int, const char *, struct stat *, int);

	if (!real)
		next_function("fstatat", &real);
	return stat_namespace(real, dirfd, path, st, flags);
}

/* On 64-bit machines the same function and the same structure under another name. */
int fstatat64(int dirfd, const char *restrict path, struct stat64 *restrict st, int flags)
{
	static int (*real)(int, const char *, struct stat *, int);

	if (!real)
		next_function("fstatat64", &real);
	return stat_namespace(real, dirfd, path, (struct stat *)st, flags);
}

static void barrier_wait(void)
{
	char byte = 'r';

	if (write(barrier_ready, &byte, 1) != 1 || read(barrier_go, &byte, 1) != 1)
		_exit(EXIT_SHIM);
	(void)close(barrier_ready);
	(void)close(barrier_go);
	barrier_ready = barrier_go = -1;
}

int setenv(const char *name, const char *value, int replace)
{
	static int (*real)(const char *, const char *, int);

	if (!real)
		next_function("setenv", &real);
	if (barrier_ready >= 0 && strcmp(name, "CRTOOLS_SCRIPT_ACTION") == 0 &&
	    strcmp(value, "pre-resume") == 0)
		barrier_wait();
	return real(name, value, replace);
}

int execvp(const char *file, char *const argv[])
{
	static int (*real)(const char *, char *const[]);

	if (strcmp(file, "segue-barrier") == 0)
		_exit(0);
	if (!real)
		next_function("execvp", &real);
	return real(file, argv);
}

/* Of include/linux/errno.h in the kernel: what a debugger finds as the result of a system call that
 * was interrupted, before the kernel does as they say. */
#define ERESTARTNOINTR        513 /* begin anew */
#define ERESTART_RESTARTBLOCK 516 /* go on with restart_syscall(2) */

/* The calls that can end with ERESTART_RESTARTBLOCK.  Who gives a sleep a place for the time that
 * remains, which the kernel has written by now, goes on sleeping by itself. */
static bool call_begins_anew(const struct user_regs_struct *registers)
{
	int operation = (int)registers->rsi & FUTEX_CMD_MASK;

	switch ((long)registers->orig_rax) {
	case SYS_poll:
		return true;
	case SYS_nanosleep:
		return registers->rsi == 0;
	case SYS_clock_nanosleep:
		return registers->r10 == 0;
	case SYS_futex:
		return operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET;
	default:
		return false;
	}
}

static long (*real_ptrace)(int, pid_t, void *, void *);

static long ptrace_word(int request, pid_t pid, void *address, void *data)
{
	unsigned long from = (unsigned long)address, to;
	long result;

	to = request == PTRACE_PEEKDATA ? infect_read(pid, from)
					: infect_write(pid, from, (unsigned long)data);
	/* Addresses in another process. */
	memcpy(&address, &to, sizeof(address));
	result = real_ptrace(request, pid, address, data);
	if (request == PTRACE_PEEKDATA)
		infect_has_read(pid, from, (unsigned long)result);
	return result;
}

static long ptrace_get_registers(pid_t pid, void *which, void *data)
{
	long result = real_ptrace(PTRACE_GETREGSET, pid, which, data);
	const struct iovec *iov = data;
	struct user_regs_struct *registers;

	if (result < 0 || iov->iov_len != sizeof(*registers))
		return result;
	registers = iov->iov_base;
	if ((long)registers->rax == -ERESTART_RESTARTBLOCK && call_begins_anew(registers))
		registers->rax = (unsigned long long)-ERESTARTNOINTR;
	return result;
}

static long ptrace_set_registers(pid_t pid, void *which, struct iovec *iov)
{
	struct user_regs_struct registers;
	struct iovec changed = {.iov_base = &registers, .iov_len = sizeof(registers)};

	if (iov->iov_len != sizeof(registers))
		return real_ptrace(PTRACE_SETREGSET, pid, which, iov);
	memcpy(&registers, iov->iov_base, sizeof(registers));
	registers.rip = infect_jump(pid, registers.rip);
	return real_ptrace(PTRACE_SETREGSET, pid, which, &changed);
}

long ptrace(int request, pid_t pid, void *address, void *data); /* <sys/ptrace.h> clashes */
long ptrace(int request, pid_t pid, void *address, void *data)
{
	bool is_general = (unsigned long)address == NT_PRSTATUS;

	if (!real_ptrace)
		next_function("ptrace", &real_ptrace);
	if (request == PTRACE_PEEKDATA || request == PTRACE_POKEDATA)
		return ptrace_word(request, pid, address, data);
	if (request == PTRACE_GETREGSET && is_general)
		return ptrace_get_registers(pid, address, data);
	if (request == PTRACE_SETREGSET && is_general)
		return ptrace_set_registers(pid, address, data);
	return real_ptrace(request, pid, address, data);
}

ssize_t splice(int from, loff_t *from_offset, int to, loff_t *to_offset, size_t size,
	       unsigned flags)
{
	static ssize_t (*real)(int, loff_t *, int, loff_t *, size_t, unsigned);

	if (!real)
		next_function("splice", &real);
	if (gentle) {
		(void)setpriority(PRIO_PROCESS, 0, NICE_LAST);
		(void)syscall(SYS_ioprio_set, IO_WHO_PROCESS, 0, IO_LAST);
		gentle = false;
	}
	return real(from, from_offset, to, to_offset, size, flags);
}

int socket(int domain, int type, int protocol)
{
	static int (*real)(int, int, int);

	if (!real)
		next_function("socket", &real);
	if (probe && domain == AF_NETLINK && protocol == NETLINK_SOCK_DIAG) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	return real(domain, type, protocol);
}

/* One network namespace a process will do; kerndat_link_nsid() makes do without a second. */
int unshare(int flags)
{
	static int (*real)(int);
	static bool has_network;

	if (!real)
		next_function("unshare", &real);
	if (probe && flags & CLONE_NEWNET) {
		if (has_network) {
			errno = EPERM;
			return -1;
		}
		has_network = true;
	}
	return real(flags);
}

struct nft_ctx;
int nft_run_cmd_from_buffer(struct nft_ctx *nft, const char *command);
int nft_run_cmd_from_buffer(struct nft_ctx *nft, const char *command)
{
	static int (*real)(struct nft_ctx *, const char *);

	if (!real)
		next_function("nft_run_cmd_from_buffer", &real);
	return probe ? -1 : real(nft, command);
}
