/* SPDX-License-Identifier: Apache-2.0 */
#include "criu/next.h"

#include <dlfcn.h>
#include <string.h>

void next_function(const char *name, void *ret_function)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	/* ISO C converts no object pointer to a function's. */
	memcpy(ret_function, &symbol, sizeof(symbol));
}
