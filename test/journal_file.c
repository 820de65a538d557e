/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "test.h"

static json_object *journal(const char *state)
{
	json_object *o =
		json_tokener_parse("{\"id\":\"20261123-101500\",\"steps\":[{\"step\":\"check\","
				   "\"at_us\":1000}],\"units\":[],\"warnings\":[]}");

	json_put_string(o, "state", state);
	return o;
}

static char *encoded(const char *state, size_t *ret_size)
{
	_cleanup_json_ json_object *o = journal(state);
	char *text = NULL;

	assert_int_equal(journal_encode(o, &text, ret_size, NULL), 0);
	return text;
}

static void test_checksum(void **state)
{
	/* The check value of this polynomial in the catalogues. */
	assert_int_equal(checksum_add(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(checksum_add(checksum_add(0, "1234", 4), "56789", 5), 0xcbf43926);
	assert_int_equal(checksum_add(0, "", 0), 0);
}

static void test_round(void **state)
{
	size_t size = 0;
	_cleanup_free_ char *text = encoded("capture", &size);
	_cleanup_json_ json_object *o = NULL;

	assert_int_equal(journal_decode(text, size, &o, NULL), 0);
	assert_string_equal(json_opt_string(o, "state", ""), "capture");
	assert_string_equal(json_opt_string(o, "id", ""), "20261123-101500");
}

static void test_every_bit(void **state)
{
	size_t size = 0;
	_cleanup_free_ char *text = encoded("freeze", &size);

	for (size_t i = 0; i < size; i++)
		for (int bit = 0; bit < 8; bit++) {
			json_object *o = NULL;
			Error err = {0};

			text[i] = (char)(text[i] ^ (1 << bit));
			assert_int_equal(journal_decode(text, size, &o, &err), -EBADMSG);
			assert_true(err.text[0] != '\0');
			text[i] = (char)(text[i] ^ (1 << bit));
		}
}

static void test_every_length(void **state)
{
	size_t size = 0;
	_cleanup_free_ char *text = encoded("jump", &size);
	_cleanup_free_ char *longer = calloc(1, size + 1);

	for (size_t n = 0; n < size; n++) {
		/* In memory of just that size, so that reading beyond it is seen. */
		_cleanup_free_ char *cut = malloc(n + 1);
		json_object *o = NULL;

		memcpy(cut, text, n);
		assert_int_equal(journal_decode(cut, n, &o, NULL), -EBADMSG);
	}
	memcpy(longer, text, size);
	assert_int_equal(journal_decode(longer, size + 1, &(json_object *){NULL}, NULL), -EBADMSG);
}

/* As journal_encode() of a version to come would write it. */
static char *of_version(unsigned version, const char *body)
{
	_cleanup_free_ char *summed = text_format("%u %zu", version, strlen(body));
	unsigned sum = checksum_add(checksum_add(0, summed, strlen(summed)), body, strlen(body));

	return text_format("segue-journal %s %08x\n%s", summed, sum, body);
}

static void test_newer(void **state)
{
	_cleanup_free_ char *text = of_version(JOURNAL_VERSION + 1, "<something else/>");
	json_object *o = NULL;
	Error err = {0};

	assert_int_equal(journal_decode(text, strlen(text), &o, &err), -EPROTONOSUPPORT);
	assert_non_null(strstr(err.text, "newer segue"));
	/* A damaged one is damaged, whatever version it seems to be of. */
	text[strlen(text) - 1] = 'x';
	assert_int_equal(journal_decode(text, strlen(text), &o, NULL), -EBADMSG);
}

static void test_whole_but_meaningless(void **state)
{
	static const char *const bodies[] = {
		"", "{", "[]", "null", "{}", "{\"state\":1}", "{\"state\":\"flying\"}"};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		_cleanup_free_ char *text = of_version(JOURNAL_VERSION, bodies[i]);
		json_object *o = NULL;

		assert_int_equal(journal_decode(text, strlen(text), &o, NULL), -EBADMSG);
	}
}

/* ---- the file and its copy ---- */

typedef struct Place {
	char directory[64], path[80], copy[96];
} Place;

static void place_make(Place *place)
{
	(void)snprintf(place->directory, sizeof(place->directory),
		       "/tmp/segue-test-journal-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	(void)snprintf(place->path, sizeof(place->path), "%s/journal", place->directory);
	(void)snprintf(place->copy, sizeof(place->copy), "%s" JOURNAL_COPY, place->path);
}

static void place_remove(const Place *place)
{
	assert_int_equal(directory_remove(AT_FDCWD, place->directory, NULL), 0);
}

static void save(const Place *place, const char *state, bool keep)
{
	_cleanup_json_ json_object *o = journal(state);

	assert_int_equal(journal_file_save(place->path, o, keep, NULL), 0);
}

static void put(const char *path, const char *text, size_t size)
{
	assert_int_equal(file_write_atomic(AT_FDCWD, path, text, size, 0600, NULL), 0);
}

/* The state that is loaded; "" if none is. */
static int load(const Place *place, char state[16], bool *ret_damaged)
{
	_cleanup_json_ json_object *o = NULL;
	Error damage = {0};
	int r = journal_file_load(place->path, &o, &damage, NULL);

	*ret_damaged = damage.code < 0;
	(void)snprintf(state, 16, "%s", o ? json_opt_string(o, "state", "") : "");
	return r;
}

static void test_damage_loses_one_transition(void **state)
{
	size_t size = 0;
	_cleanup_free_ char *good = encoded("freeze", &size), *bad = malloc(size);
	char found[16];
	bool damaged;
	Place place = {0};

	place_make(&place);
	save(&place, "settle", true);
	save(&place, "freeze", true);
	assert_int_equal(load(&place, found, &damaged), 0);
	assert_string_equal(found, "freeze");
	assert_false(damaged);
	for (size_t i = 0; i < size; i++) {
		FILE *f = fopen(place.path, "w");

		memcpy(bad, good, size);
		bad[i] ^= 0x10;
		/* One byte another, and all that come after it gone, by turns. */
		assert_non_null(f);
		assert_int_equal(fwrite(bad, 1, i % 2 ? size : i, f), i % 2 ? size : i);
		assert_int_equal(fclose(f), 0);
		assert_int_equal(load(&place, found, &damaged), 0);
		assert_string_equal(found, "settle");
		assert_true(damaged);
	}
	place_remove(&place);
}

static void test_damage_never_becomes_the_copy(void **state)
{
	char found[16];
	bool damaged;
	Place place = {0};

	place_make(&place);
	save(&place, "settle", true);
	save(&place, "freeze", true);
	put(place.path, "torn", 4);
	save(&place, "capture", false);
	put(place.path, "torn", 4);
	assert_int_equal(load(&place, found, &damaged), 0);
	assert_string_equal(found, "settle");
	place_remove(&place);
}

static void test_nothing_good_is_left(void **state)
{
	char found[16];
	bool damaged;
	Place place = {0};

	place_make(&place);
	save(&place, "settle", true);
	put(place.path, "torn", 4);
	assert_int_equal(load(&place, found, &damaged), -EBADMSG);
	put(place.copy, "torn too", 8);
	assert_int_equal(load(&place, found, &damaged), -EBADMSG);
	place_remove(&place);
}

/* That the one before is of a version that is known is no reason to take that. */
static void test_newer_is_not_passed_over(void **state)
{
	_cleanup_free_ char *newer = of_version(JOURNAL_VERSION + 1, "{}");
	char found[16];
	bool damaged;
	Place place = {0};

	place_make(&place);
	save(&place, "settle", true);
	save(&place, "freeze", true);
	put(place.path, newer, strlen(newer));
	assert_int_equal(load(&place, found, &damaged), -EPROTONOSUPPORT);
	place_remove(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_newer),
		cmocka_unit_test(test_whole_but_meaningless),
		cmocka_unit_test(test_damage_loses_one_transition),
		cmocka_unit_test(test_damage_never_becomes_the_copy),
		cmocka_unit_test(test_nothing_good_is_left),
		cmocka_unit_test(test_newer_is_not_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
