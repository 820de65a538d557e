/* SPDX-License-Identifier: Apache-2.0 */
/* A release that arrives in pieces. */
#include "release/assembly.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "release_fixture.h"

#define CHUNKS 6 /* in both files */

static Signed document;
static Manifest *manifest;
static int dir = -1;

static int setup(void **state)
{
	if (top_make(state) < 0)
		return -1;
	document = release_document(&(Spec){.name = "r1", .seed = 1});
	sign(&document, ALICE);
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return manifest_parse(document.bytes, document.size, &manifest, NULL);
}

static int teardown(void **state)
{
	signed_free(&document);
	manifest_free(manifest);
	(void)close(dir);
	return top_remove(state);
}

static Assembly *begin(void)
{
	Assembly *a = NULL;
	Error err = {0};

	if (assembly_open(dir, manifest, NULL, &a, &err) < 0)
		fail_msg("%s", err.text);
	return a;
}

/* Chunk `i` of both files together, as a release with that seed has it. */
static int put_chunk(Assembly *a, size_t i, uint8_t seed)
{
	uint8_t content[FILE_SIZE];
	const ManifestFile *file = &manifest->files[i / 3];
	Error err = {0};
	int r;

	content_make(seed, file->name, content);
	r = assembly_put(a, i / 3, i % 3, content + i % 3 * CHUNK,
			 manifest_chunk_length(manifest, file, i % 3), &err);
	assert_true((r < 0) == (*err.text != '\0'));
	return r;
}

static int finish(Assembly *a)
{
	Error err = {0};
	int r = assembly_finish(a, document.bytes, document.size, &document.signatures, NULL, &err);

	assert_true((r < 0) == (*err.text != '\0'));
	return r;
}

static void r1_is_whole(void)
{
	_cleanup_close_ int r1 = openat(dir, "r1", O_RDONLY | O_DIRECTORY);
	_cleanup_free_ char *text = NULL;
	Signatures signatures;
	size_t size;

	assert_true(r1 >= 0);
	for (size_t i = 0; i < manifest->n_files; i++)
		assert_int_equal(content_check(r1, manifest, &manifest->files[i], NULL, NULL), 0);
	/* Byte for byte what was signed. */
	assert_int_equal(file_read(r1, MANIFEST_FILE, &text, &size, NULL), 0);
	assert_int_equal(size, document.size);
	assert_memory_equal(text, document.bytes, size);
	assert_int_equal(signatures_read(r1, &signatures, NULL), 0);
	assert_int_equal(signatures.n, 1);
	assert_int_equal(
		public_key_verify(people[ALICE].public, text, size, &signatures.items[0], NULL), 0);
}

static void test_in_any_order(void **state)
{
	static const size_t order[CHUNKS] = {5, 0, 3, 2, 4, 1};
	_cleanup_assembly_ Assembly *a = begin();
	size_t file, chunk;

	for (size_t i = 0; i < CHUNKS; i++) {
		assert_int_equal(finish(a), -EAGAIN);
		assert_false(path_exists(dir, "r1"));
		assert_true(assembly_missing(a, &file, &chunk));
		assert_false(assembly_has(a, order[i] / 3, order[i] % 3));
		assert_int_equal(put_chunk(a, order[i], 1), 0);
		assert_int_equal(put_chunk(a, order[i], 1), 0);
		assert_true(assembly_has(a, order[i] / 3, order[i] % 3));
	}
	assert_false(assembly_missing(a, &file, &chunk));
	assert_int_equal(finish(a), 0);
	r1_is_whole();
	assert_false(path_exists(dir, ".partial-r1"));
}

static void test_what_is_not_signed_is_not_written(void **state)
{
	_cleanup_assembly_ Assembly *a = begin();
	_cleanup_free_ char *text = NULL;
	static const char zeros[FILE_SIZE];
	uint8_t content[FILE_SIZE + 1] = {0};
	size_t size;

	assert_int_equal(put_chunk(a, 0, 2), -EBADMSG);
	content_make(1, RELEASE_KERNEL, content);
	assert_int_equal(assembly_put(a, 0, 1, content, CHUNK, NULL), -EBADMSG);
	assert_int_equal(assembly_put(a, 0, 0, content, CHUNK - 1, NULL), -EBADMSG);
	assert_int_equal(assembly_put(a, 0, 0, content, CHUNK + 1, NULL), -EBADMSG);
	assert_int_equal(assembly_put(a, 0, 3, content, CHUNK, NULL), -EBADMSG);
	assert_int_equal(assembly_put(a, 2, 0, content, CHUNK, NULL), -EBADMSG);
	for (size_t i = 0; i < (size_t)CHUNK; i += 1009) {
		content[i] ^= 4;
		assert_int_equal(assembly_put(a, 0, 0, content, CHUNK, NULL), -EBADMSG);
		content[i] ^= 4;
	}
	assert_int_equal(file_read(dir, ".partial-r1/vmlinuz", &text, &size, NULL), 0);
	assert_int_equal(size, FILE_SIZE);
	assert_memory_equal(text, zeros, FILE_SIZE);
}

static void test_it_goes_on_where_it_was(void **state)
{
	Assembly *a = begin();
	size_t file, chunk;

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(put_chunk(a, i, 1), 0);
	assembly_free(a);
	a = begin();
	for (size_t i = 0; i < CHUNKS; i++)
		assert_int_equal(assembly_has(a, i / 3, i % 3), i < 4);
	assert_true(assembly_missing(a, &file, &chunk));
	assert_int_equal(file, 1);
	assert_int_equal(chunk, 1);
	assert_int_equal(put_chunk(a, 4, 1), 0);
	assert_int_equal(put_chunk(a, 5, 1), 0);
	assert_int_equal(finish(a), 0);
	assembly_free(a);
	r1_is_whole();
}

/* What somebody changed in the meantime, or cut, or made longer, costs those chunks. */
static void test_what_is_there_is_not_believed(void **state)
{
	_cleanup_free_ char *path = in_top(".partial-r1/vmlinuz");
	Assembly *a = begin();
	int fd;

	for (size_t i = 0; i < CHUNKS; i++)
		assert_int_equal(put_chunk(a, i, 1), 0);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, CHUNK + 5), 1);
	(void)close(fd);
	/* While it is open the whole is checked at the end ... */
	assert_int_equal(finish(a), -EBADMSG);
	assert_false(path_exists(dir, "r1"));
	assembly_free(a);
	/* ... and who opens it anew sees which chunk it is. */
	a = begin();
	for (size_t i = 0; i < CHUNKS; i++)
		assert_int_equal(assembly_has(a, i / 3, i % 3), i != 1);
	assembly_free(a);
	assert_int_equal(truncate(path, 100), 0);
	a = begin();
	for (size_t i = 0; i < CHUNKS; i++)
		assert_int_equal(assembly_has(a, i / 3, i % 3), i >= 3);
	assembly_free(a);
	assert_int_equal(truncate(path, FILE_SIZE + 1000), 0);
	a = begin();
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(put_chunk(a, i, 1), 0);
	assert_int_equal(finish(a), 0);
	assembly_free(a);
	r1_is_whole();
}

static void test_a_chunk_is_passed_on(void **state)
{
	_cleanup_assembly_ Assembly *a = begin();
	_cleanup_free_ char *path = in_top(".partial-r1/modules.tar.zst");
	uint8_t buffer[CHUNK], content[FILE_SIZE];
	size_t size;
	int fd;

	content_make(1, RELEASE_MODULES, content);
	assert_int_equal(assembly_get(a, 1, 2, buffer, &size, NULL), -ENOENT);
	assert_int_equal(put_chunk(a, 5, 1), 0);
	assert_int_equal(assembly_get(a, 1, 2, buffer, &size, NULL), 0);
	assert_int_equal(size, FILE_SIZE - 2 * CHUNK);
	assert_memory_equal(buffer, content + 2 * CHUNK, size);
	assert_int_equal(assembly_get(a, 1, 3, buffer, &size, NULL), -ENOENT);
	assert_int_equal(assembly_get(a, 9, 0, buffer, &size, NULL), -ENOENT);
	/* Not if the disk has made something else of it; then it is fetched again. */
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, 2 * CHUNK), 1);
	(void)close(fd);
	assert_int_equal(assembly_get(a, 1, 2, buffer, &size, NULL), -EBADMSG);
	assert_false(assembly_has(a, 1, 2));
	assert_int_equal(put_chunk(a, 5, 1), 0);
	assert_int_equal(assembly_get(a, 1, 2, buffer, &size, NULL), 0);
}

static void test_a_full_disk(void **state)
{
	struct rlimit before, small;
	Assembly *a = begin(), *none = NULL;
	Error err = {0};

	assert_int_equal(put_chunk(a, 0, 1), 0);
	assembly_free(a);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = FILE_SIZE / 2;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(directory_remove(AT_FDCWD, top, NULL), 0);
	assert_int_equal(mkdir(top, 0755), 0);
	(void)close(dir);
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(assembly_open(dir, manifest, NULL, &none, &err), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(err.text, "Making room for 40000 bytes of vmlinuz"));
	assert_null(none);
	/* With room it goes on. */
	a = begin();
	for (size_t i = 0; i < CHUNKS; i++)
		assert_int_equal(put_chunk(a, i, 1), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){100, before.rlim_max}), 0);
	assert_int_equal(finish(a), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_false(path_exists(dir, "r1"));
	assert_int_equal(finish(a), 0);
	assembly_free(a);
	r1_is_whole();
}

static void test_nothing_is_replaced(void **state)
{
	_cleanup_assembly_ Assembly *a = begin();

	put("r1/mine", "x", 1);
	for (size_t i = 0; i < CHUNKS; i++)
		assert_int_equal(put_chunk(a, i, 1), 0);
	assert_int_equal(finish(a), -EEXIST);
	assert_true(path_exists(dir, "r1/mine"));
	assert_int_equal(assembly_discard(dir, "r1", NULL), 0);
	assert_false(path_exists(dir, ".partial-r1"));
	assert_int_equal(assembly_discard(dir, "r1", NULL), 0);
}

/* A link or a pipe in the place of a file leads nowhere. */
static void test_links_are_not_followed(void **state)
{
	_cleanup_free_ char *victim = in_top("victim"), *text = NULL;
	_cleanup_free_ char *link = in_top(".partial-r1/vmlinuz");
	Assembly *a = NULL;

	put("victim", "dear", 4);
	put(".partial-r1/x", "", 0);
	assert_int_equal(symlink(victim, link), 0);
	assert_int_equal(assembly_open(dir, manifest, NULL, &a, NULL), -ELOOP);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(mkfifo(link, 0600), 0);
	assert_int_equal(assembly_open(dir, manifest, NULL, &a, NULL), -EINVAL);
	assert_int_equal(file_read(AT_FDCWD, victim, &text, NULL, NULL), 0);
	assert_string_equal(text, "dear");
	assert_null(a);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_in_any_order),
		TEST(test_what_is_not_signed_is_not_written),
		TEST(test_it_goes_on_where_it_was),
		TEST(test_what_is_there_is_not_believed),
		TEST(test_a_chunk_is_passed_on),
		TEST(test_a_full_disk),
		TEST(test_nothing_is_replaced),
		TEST(test_links_are_not_followed),
	};

	return cmocka_run_group_tests(tests, people_make, people_free);
}
