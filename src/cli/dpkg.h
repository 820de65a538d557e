/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for the package manager: a swap in the middle of an installation would break it off. */
#pragma once

#include "base/error.h"

/* Returns when no installation is under way.  No dpkg on this machine is no error. */
int dpkg_wait(Error *err);
