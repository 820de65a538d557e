/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named places where a failure can be ordered, for tests: off unless root has made the file
 * /etc/segue/fault, which holds one name.
 */
#pragma once

#include "base/error.h"

/* -EIO if the failure `name` is ordered, else 0. */
int fault_point(const char *name, Error *err);
