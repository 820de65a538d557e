/* SPDX-License-Identifier: Apache-2.0 */
/* What the stores take from the machine is given back when no captures are in them. */
#pragma once

#include "swap/journal.h"

/* As store_rest() with the settings of this machine; a failure becomes a warning of the swap. */
void captures_rest(Journal *journal);
