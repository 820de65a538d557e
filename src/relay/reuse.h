/* SPDX-License-Identifier: Apache-2.0 */
/* Content that is here already, in another release, is not fetched again. */
#pragma once

#include "release/assembly.h"
#include "release/depot.h"

/* Copies each missing chunk that a release of the depot has, wherever in a file it is there.  A
 * release that cannot be read is passed over: what it has is fetched.  -ENOMEM, and errors of
 * writing. */
int reuse_chunks(const Depot *depot, const Manifest *manifest, Assembly *assembly, Error *err);
