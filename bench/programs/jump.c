/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that a kexec is: loads KERNEL with INITRAMFS and the command line of this boot, writes
 * "bench: call" to the serial console, and jumps.
 *     jump KERNEL INITRAMFS
 */
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
	int line = open("/proc/cmdline", O_RDONLY | O_CLOEXEC),
	    console = open("/dev/ttyS0", O_WRONLY | O_CLOEXEC);
	int kernel = argc == 3 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	int initramfs = argc == 3 ? open(argv[2], O_RDONLY | O_CLOEXEC) : -1;
	static const char mark[] = "\nbench: call\n";
	char arguments[4096];
	ssize_t n = read(line, arguments, sizeof(arguments));

	if (n <= 0 || kernel < 0 || initramfs < 0) {
		(void)fprintf(stderr, "jump: usage: jump KERNEL INITRAMFS\n");
		return 2;
	}
	arguments[n - 1] = '\0';
	if (syscall(SYS_kexec_file_load, kernel, initramfs, (size_t)n, arguments, 0UL) < 0) {
		perror("jump: loading");
		return 1;
	}
	sync();
	if (write(console, mark, strlen(mark)) < 0)
		perror("jump: console");
	(void)syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC,
		      NULL);
	perror("jump");
	return 1;
}
