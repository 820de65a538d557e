/* SPDX-License-Identifier: Apache-2.0 */
/* /init of an initramfs that has nothing else: says so on the console, and waits to be ended. */
#include <string.h>
#include <unistd.h>

int main(void)
{
	static const char mark[] = "\nbench: mark\n";

	if (write(STDOUT_FILENO, mark, strlen(mark)) < 0)
		return 1;
	for (;;)
		(void)pause();
}
