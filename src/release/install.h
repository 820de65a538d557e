/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel of a release that has come to this machine becomes one that it can boot and swap to.
 *
 * The release lies where a process without privileges has put it, which is not believed: the
 * document is judged here once more, by whom this machine trusts and by what root has seen before,
 * and no byte is used that was not signed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "release/manifest.h"

#define INSTALL_DEPOT   "depot"   /* in each home */
#define INSTALL_KERNELS "kernels" /* in the state: a file for each kernel that came so */

typedef struct InstallPlace {
	const char *homes[2]; /* directories that may have a depot "depot"; NULL: no second one */
	const char *trust;    /* directory with "trust", as in a depot */
	const char *state;    /* directory, root's, where it is remembered */
	const char *root;     /* see kernel_files.h */
} InstallPlace;

typedef struct Installed {
	char kernel[DOCUMENT_NAME_MAX + 1];
	bool was_there;
} Installed;

/*
 * -ENOENT: the release is not here, or nobody is trusted yet; what release_judge() returns;
 * -EOPNOTSUPP: there is more in it than a kernel; -EEXIST: another kernel of that version is here
 * that did not come so; -EBUSY: it is the one that runs; and as kernel_files_put().
 */
int release_install(const InstallPlace *place, const char *release, Installed *ret, Error *err);

/* Removes the oldest of the kernels that came so, until there are `most`; none of `keep`. */
int release_tidy(const InstallPlace *place, size_t most, const char *const keep[], size_t n_keep,
		 Error *err);
