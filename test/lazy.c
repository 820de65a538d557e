/* SPDX-License-Identifier: Apache-2.0 */
/* The test is criu to the server of memory, and the restored program as well. */
#include "swap/lazy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "swap/pagemap.h"
#include "swap/paths.h"
#include "test.h"

#define PAGE     ((size_t)MEMORY_PAGE)
#define PAGES    600 /* of the program; more than what comes with one fault, or at once */
#define TREE     4000000
#define LIMIT_US 20000000

#define PARENT  1U
#define LAZY    2U
#define PRESENT 4U

static char directory[] = "/tmp/segue-test-lazy-XXXXXX";

/* ---- images ---- */

typedef struct Image {
	unsigned char bytes[8192];
	size_t size;
} Image;

static void put_word(Image *image, uint32_t word)
{
	memcpy(image->bytes + image->size, &word, 4);
	image->size += 4;
}

static void put_varint(Image *image, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		image->bytes[image->size++] = (unsigned char)(value | 0x80);
	image->bytes[image->size++] = (unsigned char)value;
}

static void put_field(Image *image, unsigned number, uint64_t value)
{
	put_varint(image, number << 3);
	put_varint(image, value);
}

static void put_message(Image *image, const Image *message)
{
	put_word(image, (uint32_t)message->size);
	memcpy(image->bytes + image->size, message->bytes, message->size);
	image->size += message->size;
}

static void pagemap_begin(Image *image, uint64_t pages_id)
{
	Image head = {0};

	image->size = 0;
	put_word(image, 0x54564319);
	put_word(image, 0x56084025);
	put_field(&head, 1, pages_id);
	put_message(image, &head);
}

static void pagemap_put(Image *image, uint64_t address, uint64_t pages, uint32_t flags)
{
	Image entry = {0};

	put_field(&entry, 1, address);
	put_field(&entry, 2, pages);
	put_field(&entry, 4, flags);
	put_field(&entry, 5, pages);
	put_message(image, &entry);
}

static void mm_begin(Image *mm)
{
	*mm = (Image){0};
	put_field(mm, 1, 77); /* something before the areas */
}

static void mm_put(Image *mm, uint64_t start, uint64_t end, uint64_t flags)
{
	Image area = {0};

	put_field(&area, 1, start);
	put_field(&area, 2, end);
	put_field(&area, 6, flags);
	put_field(&area, 7, 1);
	put_varint(mm, 14 << 3 | 2);
	put_varint(mm, area.size);
	memcpy(mm->bytes + mm->size, area.bytes, area.size);
	mm->size += area.size;
}

static void image_write(int dirfd, const char *name, const void *data, size_t size)
{
	assert_int_equal(file_write_atomic(dirfd, name, data, size, 0600, NULL), 0);
}

static void mm_write(int dirfd, const Image *mm)
{
	Image image = {0};

	put_word(&image, 0x54564319);
	put_word(&image, 0x57492820);
	put_message(&image, mm);
	image_write(dirfd, "mm-77.img", image.bytes, image.size);
}

/* Pages number `first` to `first + n` as they are in round `round`. */
static void pages_write(int dirfd, size_t first, size_t n, int round)
{
	_cleanup_free_ unsigned char *data = malloc(n * PAGE);

	for (size_t i = 0; i < n; i++)
		memset(data + i * PAGE, (int)((first + i) % 100) + round * 100, PAGE);
	image_write(dirfd, "pages-1.img", data, n * PAGE);
}

static int directory_open(const char *name)
{
	_cleanup_free_ char *path = text_format("%s/%s", directory, name);
	int fd;

	assert_int_equal(directory_make(AT_FDCWD, path, 0700, NULL), 0);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* A program with PAGES pages at `base`, all in the first round, and of which 100 to 110 were
 * written to since; it has another page, of a file, that is not lazy, right behind. */
static int images_make(uint64_t base)
{
	_cleanup_close_ int first = directory_open("tree/pre-1");
	int last = directory_open("tree");
	Image image, mm;

	pagemap_begin(&image, 1);
	pagemap_put(&image, base, PAGES, LAZY | PRESENT);
	pagemap_put(&image, base + PAGES * PAGE, 1, PRESENT);
	image_write(first, "pagemap-77.img", image.bytes, image.size);
	pages_write(first, 0, PAGES + 1, 0);

	pagemap_begin(&image, 1);
	pagemap_put(&image, base, 100, PARENT);
	pagemap_put(&image, base + 100 * PAGE, 10, LAZY | PRESENT);
	pagemap_put(&image, base + 110 * PAGE, PAGES - 110, PARENT);
	pagemap_put(&image, base + PAGES * PAGE, 1, PARENT);
	image_write(last, "pagemap-77.img", image.bytes, image.size);
	pages_write(last, 100, 10, 1);
	(void)unlinkat(last, "parent", 0);
	assert_int_equal(symlinkat("pre-1", last, "parent"), 0);

	mm_begin(&mm);
	mm_put(&mm, base, base + PAGES * PAGE, MAP_PRIVATE | MAP_ANONYMOUS);
	mm_put(&mm, base + PAGES * PAGE, base + (PAGES + 1) * PAGE, MAP_PRIVATE);
	mm_write(last, &mm);
	return last;
}

static unsigned char expected(size_t page)
{
	return (unsigned char)(page % 100 + (page >= 100 && page < 110 ? 100 : 0));
}

static int setup(void **state)
{
	assert_non_null(mkdtemp(directory));
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("tmpfs", "/run", "tmpfs", 0, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	return directory_remove(AT_FDCWD, directory, NULL);
}

/* ---- the images ---- */

static void test_mark(void **state)
{
	_cleanup_close_ int fd = images_make(0x7f0000000000);
	PageMap map;
	Error err = {0};

	assert_int_equal(pagemap_open(fd, 77, &map, &err), 0);
	assert_int_equal(map.n, 1); /* the ten that criu marked */
	pagemap_close(&map);
	assert_int_equal(pagemap_mark_lazy(fd, &err), 0);
	assert_int_equal(pagemap_open(fd, 77, &map, &err), 0);
	assert_int_equal(map.n, 3);
	assert_int_equal(map.runs[0].start, 0x7f0000000000);
	assert_int_equal(map.runs[1].pages[0], expected(100));
	assert_int_equal(map.runs[2].pages[0], expected(110));
	assert_int_equal(map.runs[2].end, 0x7f0000000000 + PAGES * PAGE);
	pagemap_close(&map);
}

static void test_mark_no_more_than_may(void **state)
{
	static const uint64_t flags[] = {MAP_PRIVATE, MAP_SHARED | MAP_ANONYMOUS,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		_cleanup_close_ int fd = images_make(0x10000);
		PageMap map;
		Image mm;

		mm_begin(&mm);
		mm_put(&mm, 0x10000, 0x10000 + PAGES * PAGE, flags[i]);
		mm_write(fd, &mm);
		assert_int_equal(pagemap_mark_lazy(fd, NULL), 0);
		assert_int_equal(pagemap_open(fd, 77, &map, NULL), 0);
		assert_int_equal(map.n, 1);
		pagemap_close(&map);
	}
}

/* An entry may reach from one area into the next. */
static void test_mark_across_areas(void **state)
{
	_cleanup_close_ int fd = images_make(0x10000);
	PageMap map;
	Image mm;

	mm_begin(&mm);
	mm_put(&mm, 0x10000, 0x10000 + 200 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS);
	mm_put(&mm, 0x10000 + 200 * PAGE, 0x10000 + PAGES * PAGE, MAP_PRIVATE | MAP_ANONYMOUS);
	mm_write(fd, &mm);
	assert_int_equal(pagemap_mark_lazy(fd, NULL), 0);
	assert_int_equal(pagemap_open(fd, 77, &map, NULL), 0);
	assert_int_equal(map.n, 2);
	assert_int_equal(map.runs[1].end, 0x10000 + 110 * PAGE);
	pagemap_close(&map);
}

/* Cut off anywhere, or with any byte changed, the images are an error or are read; nothing else. */
static void test_damaged(void **state)
{
	static const char *const names[] = {"pagemap-77.img", "mm-77.img"};

	for (size_t i = 0; i < 2; i++) {
		_cleanup_close_ int fd = images_make(0x10000);
		_cleanup_free_ char *good = NULL;
		size_t size;

		assert_int_equal(file_read(fd, names[i], &good, &size, NULL), 0);
		for (size_t at = 0; at < 2 * size; at++) {
			_cleanup_free_ char *bad = malloc(size + 1);
			PageMap map;

			memcpy(bad, good, size);
			if (at >= size)
				bad[at - size] = (char)(bad[at - size] ^ 0xff);
			image_write(fd, names[i], bad, at < size ? at : size);
			if (pagemap_mark_lazy(fd, NULL) == 0 &&
			    pagemap_open(fd, 77, &map, NULL) == 0)
				pagemap_close(&map);
		}
	}
}

static void test_pages_cut_off(void **state)
{
	_cleanup_close_ int fd = images_make(0x10000);
	PageMap map;
	Error err = {0};

	pages_write(fd, 100, 9, 1);
	assert_int_equal(pagemap_open(fd, 77, &map, &err), -EBADMSG);
}

/* ---- the server ---- */

typedef struct Program {
	unsigned char *memory;
	int images, criu, go, uffd;
} Program;

static int uffd_make(void)
{
	struct uffdio_api api = {.api = UFFD_API,
				 .features = UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP |
					     UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		skip();
	assert_int_equal(ioctl(fd, UFFDIO_API, &api), 0);
	return fd;
}

static int criu_connect(int images)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path),
		       "/proc/self/fd/%d/lazy-pages.socket", images);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void criu_send(int fd, int32_t pid, int uffd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {(char[]){0}, 1};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room)};

	assert_int_equal(send(fd, &pid, sizeof(pid), 0), sizeof(pid));
	if (uffd < 0)
		return;
	control.align = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.align), &uffd, sizeof(uffd));
	assert_int_equal(sendmsg(fd, &message, 0), 1);
}

static Program program_make(void)
{
	Program p = {.uffd = uffd_make()};
	struct uffdio_register area = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	Error err = {0};

	p.memory = mmap(NULL, (PAGES + 1) * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(p.memory != MAP_FAILED);
	p.images = images_make((uint64_t)(uintptr_t)p.memory);
	assert_int_equal(pagemap_mark_lazy(p.images, &err), 0);
	if (lazy_start(p.images, "/segue-test", TREE, &p.go, &err) < 0)
		fail_msg("%s", err.text);
	p.criu = criu_connect(p.images);
	area.range.start = (uint64_t)(uintptr_t)p.memory;
	area.range.len = PAGES * PAGE;
	assert_int_equal(ioctl(p.uffd, UFFDIO_REGISTER, &area), 0);
	criu_send(p.criu, -76, -1);
	criu_send(p.criu, 77, p.uffd);
	/* criu's own is closed; the server has another, and so has the guard. */
	(void)close(p.uffd);
	return p;
}

static void program_go(Program *p)
{
	criu_send(p->criu, 0x52535446, -1);
	cleanup_close(&p->criu);
	cleanup_close(&p->go);
}

static void wait_arrived(void)
{
	int64_t began = clock_monotonic_us(), bytes;

	while (lazy_arrives(&bytes)) {
		assert_true(clock_monotonic_us() - began < LIMIT_US);
		(void)usleep(1000);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void program_end(Program *p)
{
	cleanup_close(&p->images);
	(void)munmap(p->memory, (PAGES + 1) * PAGE);
}

static void test_faults(void **state)
{
	Program p = program_make();
	int64_t bytes;

	/* The restorer itself may touch memory: before all is made, and before programs run. */
	assert_int_equal(p.memory[5 * PAGE], expected(5));
	assert_int_equal(p.memory[105 * PAGE + 17], expected(105));
	assert_int_equal(p.memory[(PAGES - 1) * PAGE], expected(PAGES - 1));
	assert_true(lazy_arrives(&bytes));
	p.memory[5 * PAGE] = 250;
	program_go(&p);
	wait_arrived();
	for (size_t i = 0; i < PAGES; i++)
		assert_int_equal(p.memory[i * PAGE], i == 5 ? 250 : expected(i));
	assert_false(lazy_lost("/segue-test"));
	program_end(&p);
}

static void test_nobody_touches(void **state)
{
	Program p = program_make();

	program_go(&p);
	wait_arrived();
	for (size_t i = 0; i < PAGES; i++)
		assert_int_equal(p.memory[i * PAGE], expected(i));
	program_end(&p);
}

static void test_memory_is_changed(void **state)
{
	Program p = program_make();
	unsigned char *moved =
		mmap(NULL, 200 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* Given up, unmapped, moved elsewhere; each before it has come. */
	assert_int_equal(madvise(p.memory + 10 * PAGE, 10 * PAGE, MADV_DONTNEED), 0);
	assert_int_equal(munmap(p.memory + 300 * PAGE, 10 * PAGE), 0);
	assert_true(mremap(p.memory + 50 * PAGE, 100 * PAGE, 100 * PAGE,
			   MREMAP_MAYMOVE | MREMAP_FIXED, moved) == moved);
	assert_int_equal(p.memory[10 * PAGE], 0);
	assert_int_equal(moved[PAGE], expected(51));
	program_go(&p);
	wait_arrived();
	for (size_t i = 0; i < 50; i++)
		assert_int_equal(p.memory[i * PAGE], i >= 10 && i < 20 ? 0 : expected(i));
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(moved[i * PAGE], expected(50 + i));
	for (size_t i = 150; i < PAGES; i++)
		if (i < 300 || i >= 310)
			assert_int_equal(p.memory[i * PAGE], expected(i));
	(void)munmap(moved, 200 * PAGE);
	program_end(&p);
}

/* Pages that lie one after the other in memory and in the images, but in different mappings. */
static void test_mappings_side_by_side(void **state)
{
	Program p = program_make();

	for (size_t i = 7; i < PAGES; i += 50)
		assert_int_equal(mprotect(p.memory + i * PAGE, 9 * PAGE, PROT_READ), 0);
	assert_int_equal(p.memory[5 * PAGE], expected(5));
	assert_int_equal(p.memory[115 * PAGE], expected(115));
	program_go(&p);
	wait_arrived();
	for (size_t i = 0; i < PAGES; i++)
		assert_int_equal(p.memory[i * PAGE], expected(i));
	program_end(&p);
}

static void test_fork(void **state)
{
	Program p = program_make();
	int status;
	pid_t child;

	p.memory[7 * PAGE] = 251;
	child = fork();
	if (child == 0) {
		bool good = p.memory[7 * PAGE] == 251;

		for (size_t i = 0; i < PAGES; i++)
			good = good && (i == 7 || p.memory[i * PAGE] == expected(i));
		_exit(good ? 0 : 1);
	}
	p.memory[8 * PAGE] = 252;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	program_go(&p);
	wait_arrived();
	for (size_t i = 9; i < PAGES; i++)
		assert_int_equal(p.memory[i * PAGE], expected(i));
	program_end(&p);
}

/* A program that ends while its memory arrives. */
static void test_program_ends(void **state)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		Program p = program_make();

		program_go(&p);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	wait_arrived();
	assert_false(lazy_lost("/segue-test"));
}

/* criu that fails takes with it what it made. */
static void test_restore_fails(void **state)
{
	Program p = program_make();

	cleanup_close(&p.criu);
	wait_arrived();
	assert_false(lazy_lost("/segue-test"));
	cleanup_close(&p.go);
	program_end(&p);
}

/* The same test of another build may run beside this one.  One that has ended has no program. */
static bool is_of_this_program(pid_t pid)
{
	char path[64], exe[PATH_MAX] = "", own[PATH_MAX] = "";

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return readlink(path, exe, sizeof(exe) - 1) > 0 &&
	       readlink("/proc/self/exe", own, sizeof(own) - 1) > 0 && strcmp(exe, own) == 0;
}

static pid_t process_look(const char *name_wanted)
{
	char path[64], name[32];
	pid_t found = 0;

	/* The guard is a child of this process, and the server one of the guard; of those that have
	 * ended some may still have their names. */
	for (pid_t pid = getpid() + 1; pid < getpid() + 100000; pid++) {
		_cleanup_fclose_ FILE *f = NULL;

		(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
		f = fopen(path, "re");
		if (f && fgets(name, sizeof(name), f) &&
		    strncmp(name, name_wanted, strlen(name_wanted)) == 0 && is_of_this_program(pid))
			found = pid;
	}
	return found;
}

/* It takes its name when it is under way. */
static pid_t process_find(const char *name)
{
	int64_t began = clock_monotonic_us();
	pid_t pid;

	while ((pid = process_look(name)) == 0 && clock_monotonic_us() - began < LIMIT_US)
		(void)usleep(1000);
	return pid;
}

/* Nobody is given zeros for memory when the server dies: who waits for it waits until the end. */
static void test_server_is_killed(void **state)
{
	int64_t began = clock_monotonic_us(), bytes;
	int status;
	pid_t child = fork();

	if (child == 0) {
		Program p = program_make();
		pid_t server = process_find("segue-memory");

		if (server <= 0 || kill(server, SIGKILL) < 0)
			_exit(2);
		while (!lazy_lost("/segue-test"))
			(void)usleep(1000);
		_exit(p.memory[400 * PAGE] == expected(400) ? 0 : 3);
	}
	while (waitpid(child, &status, WNOHANG) == 0) {
		assert_true(clock_monotonic_us() - began < LIMIT_US);
		(void)usleep(1000);
		if (lazy_lost("/segue-test"))
			(void)kill(child, SIGKILL);
	}
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(lazy_lost("/segue-test"));
	assert_false(lazy_arrives(&bytes));
	/* There is no such control group here, so the guard holds on. */
	assert_int_equal(kill(process_find("segue-guard"), SIGKILL), 0);
	(void)directory_remove(AT_FDCWD, SEGUE_ARRIVING_DIR, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mark),
		cmocka_unit_test(test_mark_no_more_than_may),
		cmocka_unit_test(test_mark_across_areas),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_pages_cut_off),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_nobody_touches),
		cmocka_unit_test(test_memory_is_changed),
		cmocka_unit_test(test_mappings_side_by_side),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_program_ends),
		cmocka_unit_test(test_restore_fails),
		cmocka_unit_test(test_server_is_killed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
