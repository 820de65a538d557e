/* SPDX-License-Identifier: Apache-2.0 */
/* A release on its way from its owner's depot to the hub. */
#pragma once

#include "cli/verb.h"
#include "release/depot.h"

/* Nothing if the hub has it.  -EEXIST: it has another of that name. */
int upload_release(const VerbArguments *arguments, const Release *release, Error *err);
