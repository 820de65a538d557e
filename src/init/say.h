/* SPDX-License-Identifier: Apache-2.0 */
/* One line for the kernel's log, and with it the console. */
#pragma once

void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
