/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "test.h"

#define MODULE_SIZE (3 << 20) /* more than one step of the reader's buffer */

static char root[64], output[128];
static char module[MODULE_SIZE];

/* A set of modules without a kernel: in place of swap/modules.c. */
struct ModuleSet {
	const char *names[4];
	const char *files[4];
	size_t n;
};

size_t modules_count(const ModuleSet *set)
{
	return set->n;
}

const char *modules_name(const ModuleSet *set, size_t index)
{
	return set->names[index];
}

const char *modules_path(const ModuleSet *set, size_t index)
{
	static char paths[4][128];

	(void)snprintf(paths[index], sizeof(paths[0]), "%s/%s", root, set->files[index]);
	return paths[index];
}

static void put(const char *name, const void *data, size_t size)
{
	_cleanup_free_ char *path = text_format("%s/%s", root, name);

	assert_int_equal(file_write_atomic(AT_FDCWD, path, data, size, 0644, NULL), 0);
}

static void put_packed(const char *name, int (*filter)(struct archive *))
{
	_cleanup_free_ char *path = text_format("%s/%s", root, name);
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();

	assert_int_equal(archive_write_set_format_raw(a), ARCHIVE_OK);
	assert_int_equal(filter(a), ARCHIVE_OK);
	assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
	archive_entry_set_filetype(entry, AE_IFREG);
	assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
	assert_int_equal(archive_write_data(a, module, sizeof(module)), (int)sizeof(module));
	archive_entry_free(entry);
	assert_int_equal(archive_write_free(a), ARCHIVE_OK);
}

static int setup(void **state)
{
	static const char magic[] = {0x7f, 'E', 'L', 'F'};

	strcpy(root, "/tmp/segue-test-initramfs-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	(void)snprintf(output, sizeof(output), "%s/initrd", root);
	for (size_t i = 0; i < sizeof(module); i++)
		module[i] = (char)(i * i >> 7);
	memcpy(module, magic, sizeof(magic));
	put("segue-init", "#!", 2);
	put("plain.ko", module, sizeof(module));
	put_packed("packed.ko.xz", archive_write_add_filter_xz);
	put_packed("packed.ko.zst", archive_write_add_filter_zstd);
	put_packed("packed.ko.gz", archive_write_add_filter_gzip);
	return 0;
}

static int teardown(void **state)
{
	return directory_remove(AT_FDCWD, root, NULL);
}

static void write_default(const InitramfsFile *files, size_t n_files, bool zstd, uint64_t *ret_size)
{
	static const ModuleSet set = {
		.names = {"virtio", "virtio_ring", "ext4", "xfs"},
		.files = {"packed.ko.xz", "packed.ko.zst", "plain.ko", "packed.ko.gz"},
		.n = 4,
	};
	_cleanup_free_ char *init = text_format("%s/segue-init", root);
	const Initramfs i = {.init = init,
			     .handover = "{\"id\":1}",
			     .modules = &set,
			     .files = files,
			     .n_files = n_files,
			     .zstd = zstd};
	Error err = {0};

	if (initramfs_write(output, &i, ret_size, &err) < 0)
		fail_msg("%s", err.text);
}

/* Names in their order, with the content of regular files checked or noted. */
static void read_back(char *names, size_t room, bool zstd)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;

	assert_int_equal(archive_read_support_filter_zstd(a), ARCHIVE_OK);
	assert_int_equal(archive_read_support_format_cpio(a), ARCHIVE_OK);
	assert_int_equal(archive_read_open_filename(a, output, 4096), ARCHIVE_OK);
	names[0] = '\0';
	while (archive_read_next_header(a, &entry) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);
		mode_t mode = archive_entry_mode(entry);
		size_t used = strlen(names);

		(void)snprintf(names + used, room - used, "%s:%o ", name, mode & 0777);
		assert_int_equal(archive_entry_uid(entry), 0);
		assert_int_equal(archive_entry_mtime(entry), 0);
		if (!strcmp(name, "dev/console")) {
			assert_true(S_ISCHR(mode));
			assert_int_equal(archive_entry_rdev(entry), makedev(5, 1));
		} else if (text_has_suffix(name, ".ko")) {
			static char data[MODULE_SIZE];

			assert_int_equal(archive_entry_size(entry), MODULE_SIZE);
			assert_int_equal(archive_read_data(a, data, sizeof(data)), MODULE_SIZE);
			assert_memory_equal(data, module, sizeof(data));
		} else if (!strcmp(name, "segue/handover.json")) {
			char data[16] = "";

			assert_int_equal(archive_read_data(a, data, sizeof(data)), 8);
			assert_string_equal(data, "{\"id\":1}");
		}
	}
	assert_int_equal(archive_format(a), ARCHIVE_FORMAT_CPIO_SVR4_NOCRC);
	assert_int_equal(archive_filter_code(a, 0),
			 zstd ? ARCHIVE_FILTER_ZSTD : ARCHIVE_FILTER_NONE);
	assert_int_equal(archive_read_free(a), ARCHIVE_OK);
}

#define NAMES                                                                                      \
	"dev:755 proc:755 sys:755 root:755 run:755 dev/console:600 init:755 segue:755 "            \
	"segue/handover.json:600 segue/modules:755 segue/modules/00-virtio.ko:600 "                \
	"segue/modules/01-virtio_ring.ko:600 segue/modules/02-ext4.ko:600 "                        \
	"segue/modules/03-xfs.ko:600 "

static void test_it_reads_back(void **state)
{
	char names[1024];
	struct stat st;
	uint64_t size = 0;

	write_default(NULL, 0, false, &size);
	read_back(names, sizeof(names), false);
	assert_string_equal(names, NAMES);
	assert_int_equal(stat(output, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, size);
	assert_int_equal(size % 4, 0);
}

static void test_it_can_be_compressed(void **state)
{
	char names[1024];
	uint64_t plain = 0, packed = 0;

	write_default(NULL, 0, false, &plain);
	write_default(NULL, 0, true, &packed);
	read_back(names, sizeof(names), true);
	assert_string_equal(names, NAMES);
	assert_true(packed < plain);
}

static void test_further_files_bring_directories(void **state)
{
	_cleanup_free_ char *source = text_format("%s/segue-init", root);
	const InitramfsFile files[] = {{"/usr/bin/tool", source, 0700},
				       {"/usr/lib/data", source, 0}};
	char names[1024];

	write_default(files, 2, false, NULL);
	read_back(names, sizeof(names), false);
	assert_string_equal(names, NAMES
			    "usr:755 usr/bin:755 usr/bin/tool:700 usr/lib:755 usr/lib/data:644 ");
}

static void test_the_same_input_gives_the_same_bytes(void **state)
{
	_cleanup_free_ char *a = NULL, *b = NULL;
	size_t na, nb;

	write_default(NULL, 0, false, NULL);
	assert_int_equal(file_read(AT_FDCWD, output, &a, &na, NULL), 0);
	write_default(NULL, 0, false, NULL);
	assert_int_equal(file_read(AT_FDCWD, output, &b, &nb, NULL), 0);
	assert_int_equal(na, nb);
	assert_memory_equal(a, b, na);
}

static void test_a_failure_leaves_what_was_there(void **state)
{
	static const struct {
		const char *file, *content;
		size_t size;
		int code;
		const char *text;
	} cases[] = {
		{"none.ko", NULL, 0, -ENOENT, "none.ko"},
		{"empty.ko", "", 0, -EBADMSG, "empty.ko"},
		{"text.ko", "hello", 5, -EBADMSG, "text.ko"},
		{"cut.ko.xz",
		 "\xfd"
		 "7zXZ\0\0\4",
		 8, -EBADMSG, "cut.ko.xz"},
	};
	_cleanup_free_ char *init = text_format("%s/segue-init", root);
	_cleanup_free_ char *temporary = text_format("%s.new", output);

	put("initrd", "old", 3);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const ModuleSet set = {.names = {"m"}, .files = {cases[i].file}, .n = 1};
		const Initramfs input = {.init = init, .handover = "{}", .modules = &set};
		_cleanup_free_ char *text = NULL;
		Error err = {0};

		if (cases[i].content)
			put(cases[i].file, cases[i].content, cases[i].size);
		assert_int_equal(initramfs_write(output, &input, NULL, &err), cases[i].code);
		if (!strstr(err.text, cases[i].text))
			fail_msg("expected \"%s\" in: %s", cases[i].text, err.text);
		assert_int_equal(file_read(AT_FDCWD, output, &text, NULL, NULL), 0);
		assert_string_equal(text, "old");
		assert_false(path_exists(AT_FDCWD, temporary));
	}
}

static void test_paths_are_known_beforehand(void **state)
{
	const ModuleSet set = {.names = {"a", "virtio_blk"}, .n = 2};
	_cleanup_free_ char *path = initramfs_module_path(&set, 1);

	assert_string_equal(path, "/segue/modules/01-virtio_blk.ko");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_reads_back),
		cmocka_unit_test(test_it_can_be_compressed),
		cmocka_unit_test(test_further_files_bring_directories),
		cmocka_unit_test(test_the_same_input_gives_the_same_bytes),
		cmocka_unit_test(test_a_failure_leaves_what_was_there),
		cmocka_unit_test(test_paths_are_known_beforehand),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
