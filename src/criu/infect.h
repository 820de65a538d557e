/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ninth thing that criu is given, see shim.c: programs whose first executable mapping is
 * shared.
 *
 * To run code in a program, criu overwrites the beginning of its first executable mapping for a
 * while (get_exec_start() in criu/parasite-syscall.c, ptrace_swap_area() in compel).  For that the
 * kernel makes a private copy of the page.  Of a shared mapping there is none, and it refuses with
 * EIO (check_vma_flags() in mm/gup.c).  Just-in-time compilers have such mappings, PHP's for one,
 * below all the rest.  So what criu reads, writes and jumps to there is looked for in the first
 * executable mapping that is private.
 *
 * Addresses go in as criu means them, and come out as they are to be.
 */
#pragma once

#include <sys/types.h>

unsigned long infect_read(pid_t pid, unsigned long address);
void infect_has_read(pid_t pid, unsigned long address, unsigned long word);
unsigned long infect_write(pid_t pid, unsigned long address, unsigned long word);

/* The instruction pointer that a program is to go on with. */
unsigned long infect_jump(pid_t pid, unsigned long address);
