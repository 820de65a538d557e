/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named places where a failure can be ordered, for tests: off unless root has made the file
 * /etc/segue/fault, which holds one name, and maybe, behind a blank, what is to
 * happen there: "error", the default, or "hang".
 */
#pragma once

#include "base/error.h"

/* -EIO if an error is ordered at `name`, else 0; does not return if a hang is. */
int fault_point(const char *name, Error *err);
