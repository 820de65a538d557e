/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels out of real Debian packages, made here, of both layouts; and out of those that are not as
 * they should be. */
#include "release/package.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "release/modules_archive.h"
#include "release_fixture.h"

/* Where the parts of a kernel come out: a fresh directory for each attempt. */
static int out = -1;

static void out_renew(void)
{
	_cleanup_free_ char *path = in_top("out");

	cleanup_close(&out);
	assert_int_equal(directory_remove(AT_FDCWD, path, NULL), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(out >= 0);
}

static int setup(void **state)
{
	return top_make(state);
}

static int teardown(void **state)
{
	cleanup_close(&out);
	out = -1;
	return top_remove(state);
}

static int unpack(const char *a, const char *b, const char *c, Error *err)
{
	_cleanup_free_ char *first = in_top(a), *second = b ? in_top(b) : NULL;
	_cleanup_free_ char *third = c ? in_top(c) : NULL, *version = NULL;
	const char *packages[] = {first, second, third};
	const KernelSource source = {.packages = packages, .n_packages = c ? 3 : b ? 2 : 1};
	int r;

	out_renew();
	r = kernel_unpack(&source, out, NULL, &version, err);
	if (r == 0)
		assert_string_equal(version, KVER);
	return r;
}

static void out_has(const char *name, const void *data, size_t size)
{
	_cleanup_free_ char *text = NULL;
	size_t n;

	assert_int_equal(file_read(out, name, &text, &n, NULL), 0);
	assert_int_equal(n, size);
	assert_memory_equal(text, data, size);
}

static void out_is_whole(void)
{
	uint8_t image[IMAGE_SIZE];
	_cleanup_close_ int modules = -1;

	image_make(image, KVER);
	out_has("vmlinuz", image, IMAGE_SIZE);
	out_has("config", "CONFIG_X=y\n", 11);
	assert_int_equal(mkdirat(out, "m", 0755), 0);
	modules = openat(out, "m", O_RDONLY | O_DIRECTORY);
	assert_int_equal(modules_archive_unpack(out, RELEASE_MODULES, modules, NULL), 0);
	out_has("m/kernel/fs/ext4.ko.xz", "module", 6);
	out_has("m/modules.builtin", "kernel/a.ko\n", 12);
	assert_false(path_exists(modules, "build"));
	assert_false(path_exists(modules, "vmlinuz"));
}

static void test_one_package_until_6(void **state)
{
	static const char *const trees[] = {"lib/modules", "usr/lib/modules"};

	for (size_t i = 0; i < 2; i++) {
		Error err = {0};

		deb_before_7("image.deb", trees[i]);
		if (unpack("image.deb", NULL, NULL, &err) < 0)
			fail_msg("%s", err.text);
		out_is_whole();
	}
}

static void test_three_packages_from_7_on(void **state)
{
	static const char *const suffixes[] = {"", ".xz", ".zst", ".gz"};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		Error err = {0};

		deb_binary("b.deb", suffixes[i]);
		deb_modules("m.deb", suffixes[i]);
		deb_base("c.deb", suffixes[i]);
		if (unpack("m.deb", "b.deb", "c.deb", &err) < 0)
			fail_msg("%s", err.text);
		out_is_whole();
	}
}

/* One made by dpkg-deb itself, where there is one. */
static void test_a_package_of_dpkg(void **state)
{
	_cleanup_free_ char *tree = in_top("tree"), *deb = in_top("image.deb");
	const char *const argv[] = {"dpkg-deb", "--root-owner-group", "-b", tree, deb, NULL};
	static const char control[] = "Package: linux-image-x\nVersion: 1\nArchitecture: amd64\n"
				      "Maintainer: x <x@example.org>\nDescription: x\n";
	uint8_t image[IMAGE_SIZE];
	Error err = {0};

	image_make(image, KVER);
	put("tree/DEBIAN/control", control, strlen(control));
	put("tree/boot/vmlinuz-" KVER, image, IMAGE_SIZE);
	put("tree/boot/config-" KVER, "CONFIG_X=y\n", 11);
	put("tree/usr/lib/modules/" KVER "/kernel/fs/ext4.ko.xz", "module", 6);
	put("tree/usr/lib/modules/" KVER "/modules.builtin", "kernel/a.ko\n", 12);
	if (process_run(argv, 60000, NULL, NULL) < 0)
		skip();
	if (unpack("image.deb", NULL, NULL, &err) < 0)
		fail_msg("%s", err.text);
	out_is_whole();
}

static void test_a_tree(void **state)
{
	_cleanup_free_ char *modules = in_top("lib/modules/" KVER), *version = NULL;
	_cleanup_free_ char *link = in_top("lib/modules/" KVER "/build");
	_cleanup_free_ char *kernel = in_top("kernel"), *config = in_top("config");
	KernelSource source = {.modules = modules, .kernel = kernel, .config = config};
	uint8_t image[IMAGE_SIZE];
	Error err = {0};

	image_make(image, KVER);
	put("kernel", image, IMAGE_SIZE);
	put("config", "CONFIG_X=y\n", 11);
	put("lib/modules/" KVER "/kernel/fs/ext4.ko.xz", "module", 6);
	put("lib/modules/" KVER "/modules.builtin", "kernel/a.ko\n", 12);
	assert_int_equal(symlink("/usr/src", link), 0);
	out_renew();
	if (kernel_unpack(&source, out, NULL, &version, &err) < 0)
		fail_msg("%s", err.text);
	out_is_whole();
	/* And with the image beside the modules. */
	free(steal_ptr(&version));
	put("lib/modules/" KVER "/vmlinuz", image, IMAGE_SIZE);
	source.kernel = NULL;
	out_renew();
	assert_int_equal(kernel_unpack(&source, out, NULL, &version, &err), 0);
	out_is_whole();
}

static void test_a_tree_with_a_link_or_a_pipe(void **state)
{
	_cleanup_free_ char *modules = in_top("lib/modules/" KVER), *version = NULL;
	_cleanup_free_ char *odd = in_top("lib/modules/" KVER "/kernel/odd.ko");
	_cleanup_free_ char *kernel = in_top("lib/modules/" KVER "/vmlinuz");
	const KernelSource source = {.modules = modules};
	Error err = {0};

	put("lib/modules/" KVER "/kernel/a.ko", "module", 6);
	assert_int_equal(symlink("/etc/passwd", odd), 0);
	out_renew();
	assert_int_equal(kernel_unpack(&source, out, NULL, &version, &err), -EINVAL);
	assert_non_null(strstr(err.text, "kernel/odd.ko is not a file"));
	assert_int_equal(unlink(odd), 0);
	assert_int_equal(mkfifo(kernel, 0600), 0);
	out_renew();
	assert_int_equal(kernel_unpack(&source, out, NULL, &version, &err), -EINVAL);
	assert_non_null(strstr(err.text, "vmlinuz is not a file"));
}

static void test_the_same_input_makes_the_same_bytes(void **state)
{
	_cleanup_free_ char *first = NULL;
	size_t size;

	deb_before_7("image.deb", "lib/modules");
	assert_int_equal(unpack("image.deb", NULL, NULL, NULL), 0);
	assert_int_equal(file_read(out, RELEASE_MODULES, &first, &size, NULL), 0);
	/* Another second, other temporary names. */
	deb_before_7("image2.deb", "usr/lib/modules");
	assert_int_equal(unpack("image2.deb", NULL, NULL, NULL), 0);
	out_has(RELEASE_MODULES, first, size);
}

static void refused(const char *a, const char *b, const char *why)
{
	Error err = {0};

	assert_int_equal(unpack(a, b, NULL, &err), -EBADMSG);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" does not say \"%s\"", err.text, why);
}

static void test_what_is_missing_is_named(void **state)
{
	uint8_t image[IMAGE_SIZE];
	const Entry foreign[] = {{.path = "./boot/vmlinuz-6.1", .data = image, .size = IMAGE_SIZE}};
	const Entry wrong[] = {
		{.path = "./boot/vmlinuz-" KVER, .data = image, .size = IMAGE_SIZE - 100},
		{.path = "./lib/modules/" KVER "/kernel/a.ko", .data = "m", .size = 1},
		{.path = "./lib/modules/" KVER "/modules.builtin"},
	};
	const Entry other[] = {{.path = "./usr/bin/x", .data = "x", .size = 1}};

	image_make(image, KVER);
	deb_binary("b.deb", ".xz");
	deb_modules("m.deb", ".xz");
	deb_base("c.deb", ".xz");
	deb_make("foreign.deb", ".xz", foreign, 1);
	deb_make("wrong.deb", ".xz", wrong, 3);
	deb_make("other.deb", ".xz", other, 1);
	refused("m.deb", "c.deb", "give linux-binary-" KVER " too");
	refused("b.deb", "c.deb", "give linux-modules-" KVER " too");
	refused("b.deb", "m.deb", "give linux-base-" KVER " too");
	refused("m.deb", "foreign.deb", "give the packages of one kernel");
	refused("wrong.deb", NULL, "Kernel image vmlinuz is cut short");
	refused("other.deb", NULL, "There is nothing of a kernel in that");
	refused("b.deb", "b.deb", "There is a second vmlinuz");
	refused("m.deb", "m.deb", "kernel/fs/ext4.ko.xz is there twice");
}

/* Names that lead elsewhere, and entries that are no files; also where nothing would be taken. */
static const struct {
	Entry entry;
	const char *why;
} hostile[] = {
	{{.path = "../evil", .data = "x", .size = 1}, "leads elsewhere"},
	{{.path = "./../evil", .data = "x", .size = 1}, "leads elsewhere"},
	{{.path = "/etc/evil", .data = "x", .size = 1}, "leads elsewhere"},
	{{.path = "./usr/lib/modules/" KVER "/../../../../evil", .data = "x", .size = 1},
	 "leads elsewhere"},
	{{.path = "./usr/lib/modules/../modules/" KVER "/a.ko", .data = "x", .size = 1},
	 "leads elsewhere"},
	{{.path = "./usr/lib/modules//etc/evil", .data = "x", .size = 1}, "leads elsewhere"},
	{{.path = "./usr/lib/modules/" KVER "/./a.ko", .data = "x", .size = 1}, "leads elsewhere"},
	{{.path = "./usr/lib/modules/" KVER "/kernel/evil.ko", .link = "/etc/shadow"},
	 "not a file but a link"},
	{{.path = "./usr/lib/modules/" KVER "/kernel/evil.ko", .link = "etc/shadow", .hard = true},
	 "not a file but a link"},
	{{.path = "./usr/lib/modules/" KVER "/vmlinuz", .link = "/etc/shadow"},
	 "not a file but a link"},
	{{.path = "./usr/lib/modules/" KVER "/build", .data = "x", .size = 1}, NULL},
	{{.path = "./usr/lib/modules/-rf/a.ko", .data = "x", .size = 1}, "not a kernel's version"},
	{{.path = "./boot/vmlinuz-../../evil", .data = "x", .size = 1}, "leads elsewhere"},
	{{.path = "./boot/vmlinuz-a/b", .data = "x", .size = 1}, "not a kernel's version"},
	{{.path = "./boot/vmlinuz-", .data = "x", .size = 1}, "not a kernel's version"},
};

static void test_hostile_names(void **state)
{
	_cleanup_free_ char *evil = in_top("evil");

	deb_before_7("image.deb", "usr/lib/modules");
	for (size_t i = 0; i < sizeof(hostile) / sizeof(*hostile); i++) {
		deb_make("hostile.deb", ".xz", &hostile[i].entry, 1);
		if (hostile[i].why)
			refused("hostile.deb", "image.deb", hostile[i].why);
		else
			assert_int_equal(unpack("image.deb", "hostile.deb", NULL, NULL), 0);
		assert_false(path_exists(AT_FDCWD, evil));
	}
}

/* The same in an archive of modules, on a node: it is signed, and is not believed for that. */
static void test_hostile_names_in_modules(void **state)
{
	static const Entry entries[] = {
		{.path = "../evil", .data = "x", .size = 1},
		{.path = "/etc/evil", .data = "x", .size = 1},
		{.path = "a/../../evil", .data = "x", .size = 1},
		{.path = "kernel", .link = "/etc"},
		{.path = "kernel/x", .link = "a", .hard = true},
		{.path = "dir/"},
	};
	_cleanup_free_ char *evil = in_top("evil");
	_cleanup_close_ int dir = open(top, O_RDONLY | O_DIRECTORY);

	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++) {
		out_renew();
		tar_make("m.tar.zst", &entries[i], 1);
		assert_int_equal(modules_archive_unpack(dir, "m.tar.zst", out, NULL), -EBADMSG);
		assert_false(path_exists(AT_FDCWD, evil));
	}
}

static void test_paths(void **state)
{
	static const char *const inside[] = {"a", "a/b", "a/..b", "...", "a/", "a.b/c"};
	static const char *const outside[] = {"",       "/",    "/a",  "..",    "../a", "a/..",
					      "a/../b", "a//b", "./a", "a/./b", "."};

	for (size_t i = 0; i < sizeof(inside) / sizeof(*inside); i++)
		assert_true(path_is_inside(inside[i]));
	for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++)
		assert_false(path_is_inside(outside[i]));
}

/* Each beginning of a package: an error, never a kernel. */
static void test_truncated(void **state)
{
	static const char *const suffixes[] = {"", ".xz", ".zst", ".gz"};
	_cleanup_free_ char *path = in_top("image.deb");

	for (size_t s = 0; s < sizeof(suffixes) / sizeof(*suffixes); s++) {
		_cleanup_free_ char *whole = NULL;
		size_t size, step;

		deb_modules("m.deb", suffixes[s]);
		deb_base("c.deb", suffixes[s]);
		deb_binary("image.deb", suffixes[s]);
		assert_int_equal(file_read(AT_FDCWD, path, &whole, &size, NULL), 0);
		step = size / 40 + 1;
		for (size_t i = 0; i + 1 < size; i = i + step < size ? i + step : size - 2) {
			Error err = {0};

			put("image.deb", whole, i);
			assert_true(unpack("m.deb", "c.deb", "image.deb", &err) < 0);
			assert_non_null(strstr(err.text, "image.deb"));
			if (i == size - 2)
				break;
		}
	}
}

/* Each region of a package damaged: an error, or what was packed all the same. */
static void test_damaged(void **state)
{
	_cleanup_free_ char *path = in_top("image.deb"), *whole = NULL;
	size_t size;

	deb_before_7("image.deb", "usr/lib/modules");
	assert_int_equal(file_read(AT_FDCWD, path, &whole, &size, NULL), 0);
	for (size_t i = 0; i < size; i += 7) {
		Error err = {0};

		whole[i] ^= 0x55;
		put("image.deb", whole, size);
		if (unpack("image.deb", NULL, NULL, &err) == 0)
			out_is_whole();
		else
			assert_true(*err.text);
		whole[i] ^= 0x55;
	}
}

static void test_what_is_no_package(void **state)
{
	Error err = {0};

	put("text", "hello\n", 6);
	assert_int_equal(unpack("text", NULL, NULL, &err), -EBADMSG);
	put("empty", "", 0);
	assert_int_equal(unpack("empty", NULL, NULL, &err), -EBADMSG);
	assert_int_equal(unpack("missing", NULL, NULL, &err), -ENOENT);
	assert_int_equal(unpack(".", NULL, NULL, &err), -EINVAL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_package_until_6),
		TEST(test_three_packages_from_7_on),
		TEST(test_a_package_of_dpkg),
		TEST(test_a_tree),
		TEST(test_a_tree_with_a_link_or_a_pipe),
		TEST(test_the_same_input_makes_the_same_bytes),
		TEST(test_what_is_missing_is_named),
		TEST(test_hostile_names),
		TEST(test_hostile_names_in_modules),
		cmocka_unit_test(test_paths),
		TEST(test_truncated),
		TEST(test_damaged),
		TEST(test_what_is_no_package),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
