/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running criu on one process tree, inside the namespaces of its unit (see src/criu/shim.c).
 * Linked into segued and, statically, into segue-init.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

#define CRIU_SHIM           SEGUE_LIBEXECDIR "/segue-criu.so"
#define CRIU_NAMESPACES_MAX 6
#define CRIU_ARGS_MAX       512

/* One run.  Descriptors stay the caller's; they need not be inheritable. */
typedef struct CriuJob {
	int images_fd;   /* directory of the images; the log goes there too */
	const char *log; /* name of the log in it */
	int cgroup_fd; /* control group to be frozen while dumping, and that criu is moved into when
			  restoring; -1: none */
	int namespaces[CRIU_NAMESPACES_MAX]; /* namespaces to enter, in this order */
	size_t n_namespaces;
	pid_t pid;          /* PID that criu itself shall have; 0: any */
	bool ignore_userns; /* take the tasks' user namespace for criu's own */
	bool gentle;        /* the lowest priority for copying while the tasks run, see shim.c */
	int barrier_ready, barrier_go; /* restore: see shim.c; -1: none */
	int peers_fd; /* dump: file for the connections' peers, see peers.h; -1: none */
	char *args[CRIU_ARGS_MAX]; /* further arguments, owned */
	size_t n_args;
	int keep_fds[CRIU_ARGS_MAX]; /* descriptors that args refer to by number; owned by the job
				      */
	size_t n_keep_fds;
} CriuJob;

#define CRIU_JOB_INIT                                                                              \
	{                                                                                          \
		.images_fd = -1, .cgroup_fd = -1, .barrier_ready = -1, .barrier_go = -1,           \
		.peers_fd = -1                                                                     \
	}

void criu_job_free(CriuJob *job);

/* Appends an argument (printf style).  -ENOMEM, -E2BIG. */
int criu_job_add(CriuJob *job, Error *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Hands `fd` (owned by the job from now on, also on failure) to criu for the resource `key`, as
 * criu names it: "file[MNT:INODE]", "socket:[INODE]", "pipe:[INODE]". */
int criu_job_inherit(CriuJob *job, int fd, const char *key, Error *err);

/* Starts criu VERB. */
int criu_start(CriuJob *job, const char *verb, pid_t *ret_pid, Error *err);

/* Waits for a started criu.  On failure the error holds the first line that criu's log calls an
 * error. */
int criu_finish(const CriuJob *job, pid_t pid, Error *err);

/* Version of the installed criu as 10000 * major + 100 * minor + patch. */
int criu_version(int *ret_version, Error *err);
