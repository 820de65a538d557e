/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of rollouts have in common. */
#pragma once

#include "cli/verb.h"

/* Shows a rollout until it has ended; the exit status: STATUS_DONE if all went as it should. */
int rollout_follow(const VerbArguments *arguments, const char *id);
