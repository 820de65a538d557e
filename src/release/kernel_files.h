/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel of a release, where Debian's packages have theirs: /boot/vmlinuz-VERSION,
 * /boot/config-VERSION and /usr/lib/modules/VERSION; and what follows from these files: an index of
 * the modules, and by the hooks of /etc/kernel an initramfs and an entry of the boot loader.
 *
 * `root` comes before all these paths: "" for this machine.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "release/manifest.h"

/* Whether an image or modules of that version are there, whoever has put them there. */
bool kernel_files_exist(const char *root, const char *version);

/* Whether what is there is the release's kernel: its image has the very bytes, and there are
 * modules.  The key for the modules is in the image, so that they are of one build. */
bool kernel_files_match(const char *root, const Manifest *manifest);

/*
 * Puts it there, from the files in the directory `from`, which somebody else may change meanwhile:
 * what is not what was signed is not used.  Another kernel of that version is replaced.  The image
 * comes last, so that one that is not complete is not taken for a kernel.  On failure nothing of it
 * is there.  -EBADMSG: a file is not what was signed, or not what it should be.
 */
int kernel_files_put(const char *root, int from, const Manifest *manifest, Error *err);

/* What is not there is no error. */
int kernel_files_remove(const char *root, const char *version, Error *err);
