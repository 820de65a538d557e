/* SPDX-License-Identifier: Apache-2.0 */
/* Releases on their way into a hub and out of it, and channels. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "hub_fixture.h"
#include "release_fixture.h"

static HubFixture hub;

static int hub_make(void **state)
{
	Error err = {0};

	if (hub_fixture_make(&hub, &err) == 0)
		return 0;
	print_error("%s\n", err.text);
	return -1;
}

static int hub_remove(void **state)
{
	hub_fixture_remove(&hub);
	return 0;
}

typedef struct Bytes {
	char *data;
	size_t size;
} Bytes;

static size_t on_data(char *data, size_t size, size_t n, void *userdata)
{
	Bytes *bytes = userdata;
	char *more = realloc(bytes->data, bytes->size + size * n + 1);

	if (!more)
		return 0;
	memcpy(more + bytes->size, data, size * n);
	bytes->data = more;
	bytes->size += size * n;
	bytes->data[bytes->size] = '\0';
	return size * n;
}

/* Sends bytes (unless `data` is NULL), and wants this status; returns what was answered. */
static Bytes transfer(long status, const char *as, const char *method, const char *path,
		      const void *data, size_t size)
{
	CURL *curl = hub_fixture_handle(&hub, as, method, path, NULL);
	Bytes bytes = {0};
	long got = 0;

	if (data) {
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)size);
		(void)curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, data);
		(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	}
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &bytes);
	if (curl_easy_perform(curl) == CURLE_OK)
		(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &got);
	curl_easy_cleanup(curl);
	if (got != status)
		fail_msg("%s %s: expected %ld, got %ld: %s", method, path, status, got,
			 bytes.data ? bytes.data : "");
	return bytes;
}

static void send_bytes(long status, const char *path, const void *data, size_t size)
{
	Bytes bytes = transfer(status, NULL, "PUT", path, data, size);

	free(bytes.data);
}

/* Whether what is answered, an error or not, has this in it. */
static void ask(long status, const char *as, const char *method, const char *path, const char *body,
		const char *part)
{
	Bytes bytes = transfer(status, as, method, path, body, body ? strlen(body) : 0);

	if (part && (!bytes.data || !strstr(bytes.data, part)))
		fail_msg("%s %s: expected \"%s\", got %s", method, path, part,
			 bytes.data ? bytes.data : "");
	free(bytes.data);
}

static void send_document(const Signed *document, const char *release)
{
	_cleanup_free_ char *path = text_format("/v1/releases/%s/release.json", release);

	send_bytes(201, path, document->bytes, document->size);
	for (size_t i = 0; i < document->signatures.n; i++) {
		const Signature *signature = &document->signatures.items[i];
		_cleanup_free_ char *of = text_format("/v1/releases/%s/signatures/%s", release,
						      digest_text(&signature->key).text);

		send_bytes(201, of, signature->bytes, signature->size);
	}
}

static void send_files(const Manifest *manifest, uint8_t seed)
{
	uint8_t content[FILE_SIZE];

	for (size_t i = 0; i < manifest->n_files; i++) {
		const char *name = manifest->files[i].name;
		_cleanup_free_ char *path = text_format("/v1/releases/%s/%s", manifest->name, name);

		content_make(seed, name, content);
		send_bytes(201, path, content, sizeof(content));
	}
}

static Manifest *release_send(const Spec *spec)
{
	_cleanup_signed_ Signed document = release_document(spec);
	Manifest *manifest = NULL;
	_cleanup_free_ char *path = NULL;

	sign(&document, ALICE);
	assert_int_equal(manifest_parse(document.bytes, document.size, &manifest, NULL), 0);
	send_document(&document, manifest->name);
	send_files(manifest, spec->seed);
	path = text_format("/v1/releases/%s", manifest->name);
	ask(201, NULL, "POST", path, NULL, manifest->kernel);
	return manifest;
}

static void join(void)
{
	_cleanup_free_ char *token = hub_fixture_token(&hub, 1);
	_cleanup_json_ json_object *body = hub_fixture_enrolment(&hub, "n", token), *answer = NULL;

	assert_int_equal(hub_fixture_ask(&hub, "", "POST", "/v1/enrol", body, &answer), 201);
	assert_int_equal(hub_fixture_keep(&hub, "n", answer, NULL), 0);
}

static void test_in_and_out(void **state)
{
	_cleanup_manifest_ Manifest *manifest = release_send(&(Spec){.name = "r1", .version = 1});
	const ManifestFile *file = &manifest->files[0];
	uint8_t content[FILE_SIZE];
	Bytes bytes;

	join();
	content_make(0, file->name, content);
	for (size_t i = 0; i < file->n_chunks; i++) {
		_cleanup_free_ char *path =
			text_format("/v1/chunks/%s", digest_text(&file->chunks[i]).text);

		bytes = transfer(200, "n", "GET", path, NULL, 0);
		assert_int_equal(
			manifest_check_chunk(manifest, file, i, bytes.data, bytes.size, NULL), 0);
		free(bytes.data);
	}
	{
		_cleanup_free_ char *path = text_format("/v1/releases/r1/%s", file->name);

		bytes = transfer(200, "n", "GET", path, NULL, 0);
		assert_int_equal(bytes.size, FILE_SIZE);
		assert_memory_equal(bytes.data, content, FILE_SIZE);
		free(bytes.data);
	}
	ask(200, "n", "GET", "/v1/releases/r1/signatures", NULL, "signatures");
	ask(200, "n", "GET", "/v1/releases/r1/release.json", NULL, "\"segue\"");
	ask(404, "n", "GET", "/v1/releases/r1/signatures.txt", NULL, "has no file");
	ask(400, "n", "GET", "/v1/chunks/abc", NULL, "no SHA-256");
	ask(404, "n", "GET",
	    "/v1/chunks/0000000000000000000000000000000000000000000000000000000000000000", NULL,
	    "No release of the hub has chunk");
	ask(401, "", "GET", "/v1/releases/r1/release.json", NULL, "certificate");
	ask(403, "n", "DELETE", "/v1/releases/r1", NULL, "for operators");
	ask(403, "n", "PUT", "/v1/releases/r2/release.json", "{}", "for operators");
	ask(200, NULL, "DELETE", "/v1/releases/r1", NULL, NULL);
	ask(404, "n", "GET", "/v1/releases/r1/release.json", NULL, "no release r1");
}

static void test_damaged(void **state)
{
	_cleanup_signed_ Signed document = release_document(&(Spec){.name = "r1", .version = 1});
	_cleanup_manifest_ Manifest *manifest = NULL;
	_cleanup_free_ char *path = NULL;
	uint8_t content[FILE_SIZE + 1] = {0};

	ask(404, NULL, "PUT", "/v1/releases/r1/vmlinuz", "x", "release.json comes first");
	assert_int_equal(manifest_parse(document.bytes, document.size, &manifest, NULL), 0);
	send_document(&document, "r1");
	ask(400, NULL, "POST", "/v1/releases/r1", NULL, "has no signature");
	sign(&document, ALICE);
	send_document(&document, "r1");
	ask(400, NULL, "POST", "/v1/releases/r1", NULL, "was not sent");
	send_files(manifest, 0);
	path = text_format("/v1/releases/r1/%s", manifest->files[0].name);
	send_bytes(413, path, content, sizeof(content));
	content_make(0, manifest->files[0].name, content);
	content[FILE_SIZE / 2] ^= 1;
	send_bytes(201, path, content, FILE_SIZE);
	ask(400, NULL, "POST", "/v1/releases/r1", NULL, manifest->files[0].name);
	ask(404, NULL, "GET", "/v1/releases/r1", NULL, "no release r1");
	ask(404, NULL, "PUT", "/v1/releases/r1/other", "x", "has no file other");
	ask(400, NULL, "PUT", "/v1/releases/r1/signatures/xyz", "x", "is no key id");
	content[FILE_SIZE / 2] ^= 1;
	send_bytes(201, path, content, FILE_SIZE);
	ask(201, NULL, "POST", "/v1/releases/r1", NULL, "\"r1\"");
	ask(409, NULL, "PUT", "/v1/releases/r1/release.json", "x", "already");
}

static void test_channels(void **state)
{
	Manifest *first = release_send(&(Spec){.name = "r1", .version = 1});
	Manifest *second = release_send(&(Spec){.name = "r2", .version = 2});

	manifest_free(first);
	manifest_free(second);
	ask(404, NULL, "PUT", "/v1/channels/main", "{\"release\":\"r3\"}", "no release r3");
	ask(409, NULL, "PUT", "/v1/channels/other", "{\"release\":\"r1\"}", "is of channel main");
	ask(200, NULL, "PUT", "/v1/channels/main", "{\"release\":\"r1\"}", NULL);
	ask(200, NULL, "PUT", "/v1/channels/main", "{\"release\":\"r2\"}", NULL);
	ask(409, NULL, "PUT", "/v1/channels/main", "{\"release\":\"r1\"}", "higher version");
	ask(200, NULL, "GET", "/v1/channels", NULL, "\"r2\"");
	ask(409, NULL, "DELETE", "/v1/releases/r2", NULL, "A channel offers");
	ask(200, NULL, "DELETE", "/v1/channels/main", NULL, NULL);
	ask(404, NULL, "DELETE", "/v1/channels/main", NULL, "no channel main");
	ask(200, NULL, "DELETE", "/v1/releases/r2", NULL, NULL);
	ask(200, NULL, "GET", "/v1/releases", NULL, "\"r1\"");
}

/* A document of many bytes over TLS, and the time that it takes. */
static void test_large_upload(void **state)
{
	_cleanup_json_ json_object *body = hub_fixture_enrolment(&hub, "alice", NULL),
				   *answer = NULL;
	const size_t size = (size_t)4 << 20;
	_cleanup_free_ char *data = calloc(1, size);
	Bytes bytes;

	json_object_object_del(body, "token");
	json_put_string(body, "name", "alice");
	assert_int_equal(hub_fixture_ask(&hub, NULL, "POST", "/v1/operators", body, &answer), 201);
	assert_int_equal(hub_fixture_keep(&hub, "alice", answer, NULL), 0);
	bytes = transfer(201, "alice", "PUT", "/v1/releases/r1/release.json", data, size);
	free(bytes.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, hub_make, hub_remove)
		TEST(test_in_and_out),
		TEST(test_damaged),
		TEST(test_channels),
		TEST(test_large_upload),
	};

	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests(tests, people_make, people_free);
}
