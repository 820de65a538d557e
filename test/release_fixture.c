/* SPDX-License-Identifier: Apache-2.0 */
#include "release_fixture.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

static const char *const names[PEOPLE] = {"alice", "bob", "carol", "mallory"};

Person people[PEOPLE];
char top[64];

int people_make(void **state)
{
	for (int i = 0; i < PEOPLE; i++)
		if (private_key_generate(&people[i].private, NULL) < 0 ||
		    private_key_public(people[i].private, &people[i].public, NULL) < 0)
			return -1;
	return 0;
}

int people_free(void **state)
{
	for (int i = 0; i < PEOPLE; i++) {
		private_key_free(people[i].private);
		public_key_free(people[i].public);
	}
	return 0;
}

void signed_free(Signed *document)
{
	free(document->bytes);
}

void sign(Signed *document, int person)
{
	Signature s;
	Error err = {0};

	if (private_key_sign(people[person].private, document->bytes, document->size, &s, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(signatures_add(&document->signatures, &s.key, s.bytes, s.size, NULL), 0);
}

/* ---- trust ---- */

Signed trust_document(const Roles *roles)
{
	Trust trust = {
		.version = roles->version ? roles->version : 1,
		.epoch = roles->epoch ? roles->epoch : 1,
		.created_s = NOW,
		.expires_s = roles->expires_s ? roles->expires_s : NOW + 100 * DAY,
		.thresholds = {roles->owners_needed, roles->signers_needed},
	};
	Signed document = {0};
	Error err = {0};

	for (int i = 0; i < PEOPLE; i++) {
		TrustKey *key = &trust.keys[trust.n_keys];

		if (!((roles->owners | roles->signers) & 1U << i))
			continue;
		(void)snprintf(key->name, sizeof(key->name), "%s", names[i]);
		key->key = people[i].public;
		key->roles[TRUST_OWNERS] = roles->owners & 1U << i;
		key->roles[TRUST_SIGNERS] = roles->signers & 1U << i;
		trust.n_keys++;
	}
	if (trust_compose(&trust, &document.bytes, &document.size, &err) < 0)
		fail_msg("%s", err.text);
	return document;
}

Trust *trust_make(const Roles *roles)
{
	_cleanup_signed_ Signed document = trust_document(roles);
	Trust *trust = NULL;

	assert_int_equal(trust_parse(document.bytes, document.size, &trust, NULL), 0);
	return trust;
}

/* ---- releases ---- */

void content_make(uint8_t seed, const char *name, uint8_t ret[FILE_SIZE])
{
	for (size_t i = 0; i < FILE_SIZE; i++)
		ret[i] = (uint8_t)(i * 31 + i / 251 + (size_t)seed * 7 + (uint8_t)*name);
}

static void file_make(ManifestFile *file, Digest chunks[3], uint8_t seed, const char *name)
{
	static uint8_t content[FILE_SIZE];

	content_make(seed, name, content);
	(void)snprintf(file->name, sizeof(file->name), "%s", name);
	file->size = FILE_SIZE;
	file->chunks = chunks;
	file->n_chunks = 3;
	assert_int_equal(digest_of(content, FILE_SIZE, &file->digest, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		size_t left = FILE_SIZE - i * CHUNK;

		assert_int_equal(digest_of(content + i * CHUNK, left < CHUNK ? left : CHUNK,
					   &chunks[i], NULL),
				 0);
	}
}

Signed release_document(const Spec *spec)
{
	Digest chunks[2][3];
	Manifest m = {
		.kernel = KVER,
		.version = spec->version ? spec->version : 1,
		.epoch = spec->epoch ? spec->epoch : 1,
		.created_s = spec->created_s ? spec->created_s : NOW,
		.expires_s = spec->expires_s ? spec->expires_s : NOW + 30 * DAY,
		.chunk_size = CHUNK,
		.n_files = 2,
	};
	Signed document = {0};
	Error err = {0};

	(void)snprintf(m.name, sizeof(m.name), "%s", spec->name ? spec->name : "r");
	(void)snprintf(m.channel, sizeof(m.channel), "%s", spec->channel ? spec->channel : "main");
	file_make(&m.files[0], chunks[0], spec->seed, RELEASE_KERNEL);
	file_make(&m.files[1], chunks[1], spec->seed, RELEASE_MODULES);
	if (manifest_compose(&m, &document.bytes, &document.size, &err) < 0)
		fail_msg("%s", err.text);
	return document;
}

/* ---- directories ---- */

int top_make(void **state)
{
	strcpy(top, "/tmp/segue-test-release-XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

int top_remove(void **state)
{
	return directory_remove(AT_FDCWD, top, NULL);
}

char *in_top(const char *name)
{
	return text_format("%s/%s", top, name);
}

void put(const char *name, const void *data, size_t size)
{
	_cleanup_free_ char *path = in_top(name);
	_cleanup_free_ char *parent = strdup(path);

	*strrchr(parent, '/') = '\0';
	assert_int_equal(directory_make(AT_FDCWD, parent, 0755, NULL), 0);
	assert_int_equal(file_write_atomic(AT_FDCWD, path, data, size, 0600, NULL), 0);
}

/* ---- archives ---- */

static void entry_write(struct archive *a, const Entry *e)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, e->path);
	archive_entry_set_mode(entry, S_IFREG | 0644);
	if (e->link && e->hard)
		archive_entry_set_hardlink(entry, e->link);
	else if (e->link) {
		archive_entry_set_mode(entry, S_IFLNK | 0777);
		archive_entry_set_symlink(entry, e->link);
	} else if (text_has_suffix(e->path, "/")) {
		archive_entry_set_mode(entry, S_IFDIR | 0755);
	}
	archive_entry_set_size(entry, (int64_t)e->size);
	assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
	if (e->size > 0)
		assert_int_equal(archive_write_data(a, e->data, e->size), e->size);
	archive_entry_free(entry);
}

static void tar_write(const char *path, const char *suffix, const Entry *entries, size_t n)
{
	struct archive *a = archive_write_new();

	assert_int_equal(archive_write_set_format_gnutar(a), ARCHIVE_OK);
	if (!strcmp(suffix, ".xz"))
		assert_int_equal(archive_write_add_filter_xz(a), ARCHIVE_OK);
	else if (!strcmp(suffix, ".zst"))
		assert_int_equal(archive_write_add_filter_zstd(a), ARCHIVE_OK);
	else if (!strcmp(suffix, ".gz"))
		assert_int_equal(archive_write_add_filter_gzip(a), ARCHIVE_OK);
	assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
	for (size_t i = 0; i < n; i++)
		entry_write(a, &entries[i]);
	assert_int_equal(archive_write_free(a), ARCHIVE_OK);
}

void tar_make(const char *name, const Entry *entries, size_t n)
{
	_cleanup_free_ char *path = in_top(name);

	tar_write(path, ".zst", entries, n);
}

static void member_write(struct archive *a, const char *name, const void *data, size_t size)
{
	entry_write(a, &(Entry){.path = name, .data = data, .size = size});
}

void deb_make(const char *name, const char *suffix, const Entry *entries, size_t n)
{
	_cleanup_free_ char *path = in_top(name), *tar = in_top("data.tar");
	_cleanup_free_ char *member = text_format("data.tar%s", suffix), *data = NULL;
	_cleanup_free_ char *control = in_top("control.tar"), *about = NULL;
	static const Entry controls[] = {{.path = "./control", .data = "Package: x\n", .size = 11}};
	struct archive *a = archive_write_new();
	size_t size, about_size;

	tar_write(tar, suffix, entries, n);
	tar_write(control, ".xz", controls, 1);
	assert_int_equal(file_read(AT_FDCWD, tar, &data, &size, NULL), 0);
	assert_int_equal(file_read(AT_FDCWD, control, &about, &about_size, NULL), 0);
	assert_int_equal(archive_write_set_format_ar_bsd(a), ARCHIVE_OK);
	assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
	member_write(a, "debian-binary", "2.0\n", 4);
	member_write(a, "control.tar.xz", about, about_size);
	member_write(a, member, data, size);
	assert_int_equal(archive_write_free(a), ARCHIVE_OK);
}

void image_make(uint8_t image[IMAGE_SIZE], const char *version)
{
	static const uint8_t header[] = {0x55, 0xaa, 0, 0, 'H', 'd', 'r', 'S', 0x0f, 0x02};

	memset(image, 0, IMAGE_SIZE);
	image[0x1f1] = 1;
	image[0x1f4] = (IMAGE_SIZE - 1024) / 16 & 0xff;
	image[0x1f5] = (IMAGE_SIZE - 1024) / 16 >> 8;
	memcpy(image + 0x1fe, header, sizeof(header));
	image[0x20e] = 0x20;
	image[0x20f] = 0x01;
	(void)snprintf((char *)image + 0x320, 200, "%s (builder@host) #1 SMP", version);
}

void deb_before_7(const char *name, const char *tree)
{
	_cleanup_free_ char *module = text_format("./%s/" KVER "/kernel/fs/ext4.ko.xz", tree);
	_cleanup_free_ char *builtin = text_format("./%s/" KVER "/modules.builtin", tree);
	_cleanup_free_ char *build = text_format("./%s/" KVER "/build", tree);
	uint8_t image[IMAGE_SIZE];
	const Entry entries[] = {
		{.path = "./"},
		{.path = "./boot/"},
		{.path = "./boot/vmlinuz-" KVER, .data = image, .size = IMAGE_SIZE},
		{.path = "./boot/config-" KVER, .data = "CONFIG_X=y\n", .size = 11},
		{.path = "./boot/System.map-" KVER, .data = "x", .size = 1},
		{.path = module, .data = "module", .size = 6},
		{.path = builtin, .data = "kernel/a.ko\n", .size = 12},
		{.path = build, .link = "/usr/src/linux-headers-" KVER},
		{.path = "./usr/share/doc/linux-image", .link = "../../elsewhere"},
	};

	image_make(image, KVER);
	deb_make(name, ".xz", entries, sizeof(entries) / sizeof(*entries));
}

void deb_binary(const char *name, const char *suffix)
{
	uint8_t image[IMAGE_SIZE];
	const Entry entries[] = {
		{.path = "./usr/lib/modules/" KVER "/vmlinuz", .data = image, .size = IMAGE_SIZE},
	};

	image_make(image, KVER);
	deb_make(name, suffix, entries, 1);
}

void deb_modules(const char *name, const char *suffix)
{
	const Entry entries[] = {
		{.path = "./usr/lib/modules/" KVER "/kernel/fs/ext4.ko.xz",
		 .data = "module",
		 .size = 6},
	};

	deb_make(name, suffix, entries, 1);
}

void deb_base(const char *name, const char *suffix)
{
	const Entry entries[] = {
		{.path = "./usr/lib/modules/" KVER "/config", .data = "CONFIG_X=y\n", .size = 11},
		{.path = "./usr/lib/modules/" KVER "/modules.builtin",
		 .data = "kernel/a.ko\n",
		 .size = 12},
	};

	deb_make(name, suffix, entries, 2);
}

void document_put(const char *directory, const char *file, const Signed *document)
{
	_cleanup_free_ char *name = text_format("%s/%s", directory, file);

	put(name, document->bytes, document->size);
	for (size_t i = 0; i < document->signatures.n; i++) {
		const Signature *signature = &document->signatures.items[i];
		_cleanup_free_ char *path = text_format("%s/signatures/%s.sig", directory,
							digest_text(&signature->key).text);

		put(path, signature->bytes, signature->size);
	}
}

void trust_put(const char *in, int person)
{
	_cleanup_free_ char *directory = text_format("%s/trust/1", in);
	const Roles roles = {
		.expires_s = clock_realtime_us() / 1000000 + 10 * DAY,
		.owners = 1U << (unsigned)person,
		.owners_needed = 1,
		.signers = 1U << (unsigned)person,
		.signers_needed = 1,
	};
	_cleanup_signed_ Signed document = trust_document(&roles);

	sign(&document, person);
	document_put(directory, "trust.json", &document);
}

void release_put(const char *in, const Spec *given, int person)
{
	static const char *const files[] = {RELEASE_KERNEL, RELEASE_MODULES};
	_cleanup_free_ char *directory = text_format("%s/releases/%s", in, given->name);
	int64_t now_s = clock_realtime_us() / 1000000;
	Spec spec = *given;
	_cleanup_signed_ Signed document = {0};
	uint8_t content[FILE_SIZE];

	spec.created_s = spec.created_s ? spec.created_s : now_s;
	spec.expires_s = spec.expires_s ? spec.expires_s : now_s + DAY;
	document = release_document(&spec);
	sign(&document, person);
	document_put(directory, MANIFEST_FILE, &document);
	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ char *file = text_format("%s/%s", directory, files[i]);

		content_make(spec.seed, files[i], content);
		put(file, content, FILE_SIZE);
	}
}
