/* SPDX-License-Identifier: Apache-2.0 */
/* What the hooks of this folder have in common. */
#pragma once

/* Sets the function pointer at `ret_function` to what `name` means without this library. */
__attribute__((visibility("hidden"))) void next_function(const char *name, void *ret_function);
