/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that arrives after the programs run again.
 *
 * criu restore --lazy-pages makes a tree of processes without the pages that may come later, and
 * hands a userfaultfd of each process to whoever listens on the socket lazy-pages.socket in the
 * images' directory.  Here that is a process of ours: it maps the images, answers a page fault with
 * the page and some that follow it, and once the programs run brings all others, until none is
 * missing.  From a store in memory the kernel copies pages from where they are; nothing is read.
 * (criu's own daemon reads from files, and not from those of earlier rounds: the pages of
 * read_parent_page() in criu/pagemap.c never reach uffd_io_complete() in criu/uffd.c.)
 *
 * A userfaultfd that is closed too early would have the kernel give out zeros instead of what is
 * missing.  So a second process, the guard, holds it as well: if the first one dies, it kills the
 * programs, which systemd starts anew as their Restart= says, and leaves word of it.
 *
 * What is left is told in SEGUE_ARRIVING_DIR: a file for each tree, with the bytes that are missing
 * or, if the first process died, the word "lost" and the control group.  It goes when all is there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* Less memory is restored in the time that another process takes to be there. */
#define LAZY_LEAST_BYTES (32LL << 20)

/* Starts both processes for a tree whose images are in `images_fd` and whose root will be `pid`;
 * its programs, that is, what is killed in an emergency, are those of `cgroup`.  They have no
 * parent to wait for them but PID 1.  When `ret_go` is closed, the programs run. */
int lazy_start(int images_fd, const char *cgroup, pid_t pid, int *ret_go, Error *err);

/* Whether memory is still missing anywhere, and how much of it is to come.  That of programs that
 * were killed for want of it is not. */
bool lazy_arrives(int64_t *ret_bytes);

/* Whether the programs of this control group were killed because their memory was lost. */
bool lazy_lost(const char *cgroup);

/* Whether the running kernel can do it. */
bool lazy_is_possible(void);
