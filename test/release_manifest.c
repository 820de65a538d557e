/* SPDX-License-Identifier: Apache-2.0 */
/* The documents: what is read and what is refused. */
#include "release/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "release_fixture.h"

#define D0 "0000000000000000000000000000000000000000000000000000000000000000"

#define HEAD                                                                                       \
	"{\"segue\":\"release\",\"format\":1,\"name\":\"r\",\"channel\":\"main\",\"version\":1,"   \
	"\"epoch\":1,\"created\":\"2027-01-01T00:00:00Z\",\"expires\":\"2027-02-01T00:00:00Z\","   \
	"\"kernel\":\"7.0\","
#define VMLINUZ "{\"name\":\"vmlinuz\",\"size\":5,\"sha256\":\"" D0 "\",\"chunks\":[\"" D0 "\"]}"
#define MODULES                                                                                    \
	"{\"name\":\"modules.tar.zst\",\"size\":16385,\"sha256\":\"" D0 "\",\"chunks\":[\"" D0     \
	"\",\"" D0 "\"]}"
#define GOOD HEAD "\"chunk_size\":16384,\"files\":[" VMLINUZ "," MODULES "]}"

static int parse(const char *text, Manifest **ret, Error *err)
{
	return manifest_parse(text, strlen(text), ret, err);
}

static void test_members(void **state)
{
	_cleanup_manifest_ Manifest *m = NULL;
	Error err = {0};

	if (parse(GOOD, &m, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(m->name, "r");
	assert_int_equal(m->created_s, 1798761600);
	assert_null(m->cmdline);
	assert_int_equal(m->n_files, 2);
	assert_int_equal(m->files[1].n_chunks, 2);
	assert_int_equal(manifest_chunk_length(m, &m->files[1], 0), 16384);
	assert_int_equal(manifest_chunk_length(m, &m->files[1], 1), 1);
	assert_int_equal(manifest_chunk_length(m, &m->files[1], 2), 0);
	assert_null(manifest_find(m, "root.img"));
}

/* GOOD with the first `what` replaced. */
static const struct {
	const char *what, *by, *message;
} mistakes[] = {
	{"\"release\"", "\"trust\"", "This is of the kind \"trust\", not \"release\""},
	{"\"format\":1", "\"format\":2", "Format 2 is not known here; install a newer segue"},
	{"\"name\":\"r\"", "\"name\":\"../r\"", "\"name\" is \"../r\", which is no name"},
	{"\"name\":\"r\"", "\"name\":\".r\"", "\"name\" is \".r\", which is no name"},
	{"\"name\":\"r\"", "\"name\":\"a\\u0000b\"", "\"name\" has control characters"},
	{"\"name\":\"r\",", "", "\"name\" is missing"},
	{"\"version\":1", "\"version\":0", "\"version\" is 0, not from 1 to 9007199254740992"},
	{"\"version\":1", "\"version\":99999999999999999999",
	 "\"version\" is 9223372036854775807, not from 1 to 9007199254740992"},
	{"\"version\":1", "\"version\":1.5", "\"version\" is not of type int"},
	{"\"version\":1", "\"version\":\"1\"", "\"version\" is not of type int"},
	{"2027-02-01T00:00:00Z", "2027-02-30T00:00:00Z",
	 "\"expires\" is \"2027-02-30T00:00:00Z\", not a time like 2027-01-31T12:00:00Z"},
	{"2027-02-01T00:00:00Z", "2027-02-01T00:00:00+01:00",
	 "\"expires\" is \"2027-02-01T00:00:00+01:00\", not a time like 2027-01-31T12:00:00Z"},
	{"\"kernel\":\"7.0\"", "\"kernel\":\"7/0\"", "\"kernel\" is \"7/0\", which is no name"},
	{"\"kernel\":", "\"cmdline\":\"a\\nb\",\"kernel\":", "\"cmdline\" has control characters"},
	{"\"chunk_size\":16384", "\"chunk_size\":0",
	 "\"chunk_size\" is 0, not from 16384 to 4194304"},
	{"\"chunk_size\":16384", "\"chunk_size\":-16384",
	 "\"chunk_size\" is -16384, not from 16384 to 4194304"},
	{"\"chunk_size\":16384", "\"chunk_size\":32768",
	 "modules.tar.zst: There are 2 chunks, not 1"},
	{"\"size\":5", "\"size\":0", "vmlinuz: \"size\" is 0, not from 1 to 1125899906842624"},
	{"\"size\":5", "\"size\":1125899906842624", "vmlinuz: There are 1 chunks, not 68719476736"},
	{"\"size\":16385", "\"size\":16384", "modules.tar.zst: There are 2 chunks, not 1"},
	{"\"name\":\"modules.tar.zst\"", "\"name\":\"vmlinuz\"", "The name vmlinuz is taken"},
	{"\"name\":\"modules.tar.zst\"", "\"name\":\"release.json\"",
	 "The name release.json is taken"},
	{"\"name\":\"modules.tar.zst\"", "\"name\":\"/etc/passwd\"",
	 "\"name\" is \"/etc/passwd\", which is no name"},
	{"\"name\":\"vmlinuz\"", "\"name\":\"other\"",
	 "vmlinuz or modules.tar.zst is not among the files"},
	{"\"sha256\":\"0", "\"sha256\":\"A",
	 "vmlinuz: \"sha256\": "
	 "\"A000000000000000000000000000000000000000000000000000000000000000\" "
	 "is not a SHA-256"},
	{"[\"0", "[5,\"0", "vmlinuz: There are 2 chunks, not 1"},
	{"[\"" D0 "\"]", "[5]", "vmlinuz: \"chunks\": \"\" is not a SHA-256"},
	{"[{", "[7,{", "A file is not an object"},
};

static char *altered(const char *what, const char *by)
{
	const char *at = strstr(GOOD, what);

	assert_non_null(at);
	return text_format("%.*s%s%s", (int)(at - GOOD), GOOD, by, at + strlen(what));
}

static void test_mistakes(void **state)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
		_cleanup_free_ char *text = altered(mistakes[i].what, mistakes[i].by);
		Manifest *m = NULL;
		Error err = {0};

		assert_int_equal(parse(text, &m, &err), -EBADMSG);
		assert_string_equal(err.text, mistakes[i].message);
		assert_null(m);
	}
}

static const char *const no_documents[] = {
	"",
	"null",
	"[]",
	"\"x\"",
	"{",
	"{}",
	GOOD "x",
	GOOD "{}",
	"{'segue':'release'}",
	"[[[[[[[[[[[[[[[[[[[[[[[[",
	"{\"segue\":\"\xff\xfe\"}",
	"/* c */" GOOD,
};

static void test_what_is_no_document(void **state)
{
	Manifest *m = NULL;

	for (size_t i = 0; i < sizeof(no_documents) / sizeof(*no_documents); i++) {
		Error err = {0};

		assert_int_equal(parse(no_documents[i], &m, &err), -EBADMSG);
		assert_true(*err.text);
	}
	assert_int_equal(manifest_parse(GOOD, sizeof(GOOD), &m, NULL), -EBADMSG); /* with its NUL */
	assert_null(m);
}

static void test_unknown_members_are_passed_over(void **state)
{
	_cleanup_free_ char *text = altered("\"epoch\"", "\"later\":{\"a\":[1]},\"epoch\"");
	_cleanup_manifest_ Manifest *m = NULL;

	assert_int_equal(parse(text, &m, NULL), 0);
}

static void test_names_and_times(void **state)
{
	int64_t s;

	assert_true(name_is_valid("6.12.107+deb13-cloud-amd64"));
	assert_true(name_is_valid("7.0-rc3~bpo"));
	assert_false(name_is_valid(""));
	assert_false(name_is_valid("-rf"));
	assert_false(name_is_valid(".."));
	assert_false(name_is_valid("a/b"));
	assert_false(name_is_valid("a b"));
	assert_false(name_is_valid("\xc3\xa4"));
	assert_string_equal(time_text(0).text, "1970-01-01T00:00:00Z");
	assert_string_equal(time_text(253402300799).text, "9999-12-31T23:59:59Z");
	assert_true(time_parse("9999-12-31T23:59:59Z", &s));
	assert_int_equal(s, 253402300799);
	assert_false(time_parse("2027-1-01T00:00:00Z", &s));
	assert_false(time_parse(" 2027-01-01T00:00:00Z", &s));
	assert_false(time_parse("1969-12-31T23:59:59Z", &s));
	assert_false(time_parse("2027-01-01T00:00:00Z ", &s));
}

static void test_digests(void **state)
{
	static const char abc[] =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	_cleanup_digest_run_ DigestRun *run = NULL;
	Digest once, parts, read;

	/* FIPS 180-2, appendix B.1. */
	assert_int_equal(digest_of("abc", 3, &once, NULL), 0);
	assert_string_equal(digest_text(&once).text, abc);
	assert_true(digest_parse(abc, &read));
	assert_true(digest_equal(&once, &read));
	assert_int_equal(digest_run_new(&run, NULL), 0);
	assert_int_equal(digest_run_add(run, "a", 1, NULL), 0);
	assert_int_equal(digest_run_add(run, "bc", 2, NULL), 0);
	digest_run_end(run, &parts);
	assert_true(digest_equal(&once, &parts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_what_is_no_document),
		cmocka_unit_test(test_unknown_members_are_passed_over),
		cmocka_unit_test(test_names_and_times),
		cmocka_unit_test(test_digests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
