/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/timeline.h"

#include <ctype.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "test.h"

/* ---- a scanner for the XML that a picture may be: elements, attributes and text ---- */

#define DEPTH_MOST     16
#define ATTRIBUTE_MOST 16

/* Each function returns where it ended, NULL if what is there is not well-formed. */
static const char *scan_name(const char *p)
{
	const char *begin = p;

	while (isalnum((unsigned char)*p) || *p == '-')
		p++;
	return p > begin && isalpha((unsigned char)*begin) ? p : NULL;
}

/* One character of a text or a value. */
static const char *scan_character(const char *p)
{
	static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
	mbstate_t state = {0};
	size_t n = mbrlen(p, 4, &state);

	if (*p == '&') {
		for (size_t i = 0; i < sizeof(entities) / sizeof(*entities); i++)
			if (text_has_prefix(p, entities[i]))
				return p + strlen(entities[i]);
		return NULL;
	}
	if (*p == '<' || n == 0 || n > 4 || ((unsigned char)*p < 0x20 && *p != '\n') || *p == 0x7f)
		return NULL;
	/* U+FFFE and U+FFFF. */
	return text_has_prefix(p, "\xef\xbf\xbe") || text_has_prefix(p, "\xef\xbf\xbf") ? NULL
											: p + n;
}

/* The attributes of a tag, to its ">" or "/>".  None may be there twice. */
static const char *scan_attributes(const char *p)
{
	const char *names[ATTRIBUTE_MOST];
	size_t lengths[ATTRIBUTE_MOST], n = 0;

	while (*p == ' ') {
		const char *name = p + 1, *end = scan_name(name);

		if (!end || end[0] != '=' || end[1] != '"' || n == ATTRIBUTE_MOST)
			return NULL;
		names[n] = name;
		lengths[n] = (size_t)(end - name);
		for (size_t i = 0; i < n; i++)
			if (lengths[i] == lengths[n] && !memcmp(names[i], name, lengths[n]))
				return NULL;
		n++;
		for (p = end + 2; *p != '"';) {
			p = scan_character(p);
			if (!p)
				return NULL;
		}
		p++;
	}
	return p;
}

static bool is_well_formed(const char *p)
{
	const char *open[DEPTH_MOST];
	size_t lengths[DEPTH_MOST], depth = 0;
	bool closed = false;

	while (*p) {
		const char *name, *end;

		if (*p != '<') {
			/* Outside of the root there are only line ends. */
			p = depth > 0 ? scan_character(p) : *p == '\n' ? p + 1 : NULL;
			if (!p)
				return false;
			continue;
		}
		name = p + (p[1] == '/' ? 2 : 1);
		end = scan_name(name);
		if (!end || closed)
			return false;
		if (p[1] == '/') {
			if (depth == 0 || lengths[--depth] != (size_t)(end - name) ||
			    memcmp(open[depth], name, lengths[depth]) != 0 || *end != '>')
				return false;
			closed = depth == 0;
			p = end + 1;
			continue;
		}
		p = scan_attributes(end);
		if (!p || depth == DEPTH_MOST)
			return false;
		if (text_has_prefix(p, "/>")) {
			closed = depth == 0;
			p += 2;
			continue;
		}
		if (*p++ != '>')
			return false;
		open[depth] = name;
		lengths[depth++] = (size_t)(end - name);
	}
	return closed;
}

static void test_scanner(void **state)
{
	static const char *const good[] = {"<a/>", "<a b=\"1\" c=\"&lt;\">x<b/>&amp;</a>\n"};
	static const char *const bad[] = {
		"",
		"x",
		"<a>",
		"<a></b>",
		"</a>",
		"<a/><b/>",
		"<a><b></a></b>",
		"<a b=1/>",
		"<a b=\"1\" b=\"2\"/>",
		"<a b=\"<\"/>",
		"<a>&</a>",
		"<a>&nbsp;</a>",
		"<a>\x01</a>",
		"<a>\xff</a>",
		"<a>\xc3</a>",
		"<a>\xed\xa0\x80</a>",
		"<a>\xef\xbf\xbf</a>",
		"<a><!-- --></a>",
		"<a><![CDATA[]]></a>",
		"<?xml version=\"1.0\"?><a/>",
		"<a",
		"<a b=\"",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (!is_well_formed(good[i]))
			fail_msg("The scanner refuses %s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (is_well_formed(bad[i]))
			fail_msg("The scanner takes %s", bad[i]);
}

/* ---- pictures ---- */

/* Of any picture it holds that it is well-formed and needs nothing else. */
static char *drawn_object(json_object *swap)
{
	static const char *const absent[] = {"<script",  "href",   "url(", "@import", "<image",
					     "<foreign", "onload", "nan",  "inf"};
	char *svg = NULL;

	assert_int_equal(timeline_draw(swap, &svg, NULL), 0);
	if (!is_well_formed(svg))
		fail_msg("This is not well-formed: %.500s", svg);
	assert_true(text_has_prefix(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\""));
	for (size_t i = 0; i < sizeof(absent) / sizeof(*absent); i++)
		if (strstr(svg, absent[i]))
			fail_msg("There is \"%s\" in %.500s", absent[i], svg);
	return svg;
}

static char *drawn(const char *report)
{
	_cleanup_json_ json_object *swap = json_tokener_parse(report);

	assert_non_null(swap);
	return drawn_object(swap);
}

static void expect_texts(const char *svg, const char *const *texts)
{
	for (; *texts; texts++)
		if (!strstr(svg, *texts))
			fail_msg("There is no \"%s\" in %.500s", *texts, svg);
}

static size_t count(const char *svg, const char *what)
{
	size_t n = 0;

	for (const char *p = svg; (p = strstr(p, what)); p += strlen(what))
		n++;
	return n;
}

/* A number attribute of the nth box of a class. */
static double box_number(const char *svg, const char *class, size_t n, const char *attribute)
{
	_cleanup_free_ char *mark = text_format("class=\"%s\"", class);
	_cleanup_free_ char *name = text_format(" %s=\"", attribute);
	size_t seen = 0;

	for (const char *p = svg; (p = strstr(p, "<rect")); p++) {
		_cleanup_free_ char *tag = strndup(p, strcspn(p, ">"));
		const char *value = strstr(tag, name);

		if (strstr(tag, mark) && seen++ == n && value)
			return strtod(value + strlen(name), NULL);
	}
	fail_msg("There is no box %zu of class %s in %.500s", n, class, svg);
	return 0;
}

static const char done[] =
	"{\"id\":\"20261122-214501\",\"from\":\"6.12.107\",\"to\":\"7.3.4\",\"state\":\"done\","
	"\"error\":null,\"frozen_us\":1795383954020000,\"blackout_s\":2.0,\"steps\":["
	"{\"step\":\"check\",\"at_us\":1795383901000000,\"duration_us\":50000000},"
	"{\"step\":\"stage\",\"at_us\":1795383951000000,\"duration_us\":3000000},"
	"{\"step\":\"freeze\",\"at_us\":1795383954000000,\"duration_us\":40000},"
	"{\"step\":\"capture\",\"at_us\":1795383954040000,\"duration_us\":460000},"
	"{\"step\":\"jump\",\"at_us\":1795383954500000,\"duration_us\":1000000},"
	"{\"step\":\"land\",\"at_us\":1795383955500000,\"duration_us\":300000},"
	"{\"step\":\"restore\",\"at_us\":1795383955800000,\"duration_us\":220000},"
	"{\"step\":\"adopt\",\"at_us\":1795383956020001,\"duration_us\":4979999}],"
	"\"units\":[{\"unit\":\"redis.service\",\"outcome\":\"carried\",\"main_pid\":7},"
	"{\"unit\":\"job.scope\",\"outcome\":\"failed\",\"main_pid\":0}],"
	"\"warm_bytes\":[536870912,1048576],\"lazy_bytes\":3145728,\"warnings\":[\"a warning\"]}";

static void test_all_of_a_swap(void **state)
{
	static const char *const texts[] = {
		"<title>Swap 20261122-214501: done</title>",
		"<desc>From kernel 6.12.107 to 7.3.4. ",
		"check 50.0 s, stage 3.0 s, freeze 40 ms",
		">Outcome: done<",
		">Kernel: 6.12.107 \xe2\x86\x92 7.3.4<",
		">Began 2026-11-22 21:45:01 UTC, took 60.0 s; blackout 2.0 s<",
		">check<",
		">50.0 s<",
		">40 ms<",
		">The blackout, enlarged<",
		">redis.service<",
		">carried<",
		">job.scope<",
		">failed<",
		">512.0 MiB<",
		">1.0 MiB<",
		">3.0 MiB of memory came after the programs ran again<",
		">a warning<",
		"prefers-color-scheme:dark",
		NULL};
	_cleanup_free_ char *svg = drawn(done);

	expect_texts(svg, texts);
	assert_null(strstr(svg, ">Why:"));
	/* Eight steps, of which five are enlarged below, and two warm rounds. */
	assert_int_equal(count(svg, "class=\"still\""), 5 + 5);
	assert_int_equal(count(svg, "class=\"run\""), 3 + 2);
	assert_int_equal(count(svg, "class=\"blackout\""), 2);
}

static void test_where_bars_are(void **state)
{
	_cleanup_free_ char *svg = drawn(done);
	double left = box_number(svg, "run", 0, "x"), width = 60e6;
	double per_us = box_number(svg, "run", 0, "width") / 50e6;

	/* Where its neighbour ends, to a tenth of a pixel. */
	assert_true(box_number(svg, "run", 1, "x") - (left + 50e6 * per_us) < 0.2);
	assert_true(box_number(svg, "run", 1, "x") - (left + 50e6 * per_us) > -0.2);
	/* 40 ms beside 50 s are seen, and within the chart. */
	assert_true(box_number(svg, "still", 0, "width") >= 2);
	assert_true(box_number(svg, "run", 2, "x") + box_number(svg, "run", 2, "width") <
		    left + width * per_us + 0.2);
	/* The blackout begins with freezing, and lasts two seconds. */
	assert_true(box_number(svg, "blackout", 0, "width") - 2e6 * per_us < 0.2);
	assert_true(box_number(svg, "blackout", 0, "width") - 2e6 * per_us > -0.2);
	assert_true(box_number(svg, "blackout", 0, "height") == 8 * 22);
	assert_true(box_number(svg, "blackout", 1, "height") == 5 * 22);
	/* Enlarged, the jump is half as long as the blackout. */
	assert_true(box_number(svg, "still", 7, "width") * 2 -
			    box_number(svg, "blackout", 1, "width") <
		    0.3);
	assert_true(box_number(svg, "still", 7, "width") * 2 -
			    box_number(svg, "blackout", 1, "width") >
		    -0.3);
}

static void test_hostile_texts(void **state)
{
	static const char *const names[] = {
		"</text><script>alert(1)</script>",
		"a&b\"c'd<e>f",
		"]]>&#0;<![CDATA[",
		"two\nlines\tand\rmore",
		"\x01\x02\x1b[31m\x7f",
		"\xff\xfe\xc0\x80\xed\xa0\x80\xf8\x88\x80\x80\x80",
		"\xc1\x81 overlong \xe0\x81\x81",
		"cut off \xe2\x82",
		"\xef\xbf\xbe\xef\xbf\xbf\xf4\x90\x80\x80",
		"\xc2\x85\xe2\x80\xae turned \xe2\x81\xa6",
		"--><!--",
		"%s%n%d",
	};
	_cleanup_json_ json_object *swap = json_object_new_object();
	json_object *units = json_object_new_array(), *steps = json_object_new_array();
	_cleanup_free_ char *svg = NULL;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		json_object *unit = json_object_new_object(), *step = json_object_new_object();

		json_put_string(unit, "unit", names[i]);
		json_put_string(unit, "outcome", names[i]);
		(void)json_object_array_add(units, unit);
		json_put_string(step, "step", names[i]);
		json_put_int(step, "at_us", 1795383901000000 + (int64_t)i);
		json_put_int(step, "duration_us", 1);
		(void)json_object_array_add(steps, step);
		json_put_string(swap, "error", names[i]);
		json_put_string(swap, "id", names[i]);
		json_put_string(swap, "from", names[i]);
		json_put_string(swap, "to", names[i]);
		json_put_string(swap, "state", names[i]);
		free(drawn_object(swap));
	}
	(void)json_object_object_add(swap, "units", units);
	(void)json_object_object_add(swap, "steps", steps);
	(void)json_object_object_add(swap, "warnings", json_object_get(units));
	svg = drawn_object(swap);
	expect_texts(svg, (const char *const[]){
				  "&lt;/text&gt;&lt;script&gt;alert(1)&lt;/script&gt;",
				  "a&amp;b&quot;c&#39;d&lt;e&gt;f", "two lines and more",
				  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd[31m", "%s%n%d", NULL});
	assert_null(strstr(svg, "\xe2\x80\xae"));
	assert_null(strstr(svg, "\xe2\x81\xa6"));
}

static void test_long_names(void **state)
{
	char name[2 * 120 + 1] = "";
	_cleanup_free_ char *report = NULL, *svg = NULL, *cut = NULL;

	for (size_t i = 0; i + 1 < sizeof(name); i += 2)
		memcpy(name + i, "\xc3\xa9", 3);
	report = text_format("{\"units\":[{\"unit\":\"%s.service\"}]}", name);
	svg = drawn(report);
	/* Whole as a tooltip; cut off between characters, not within one. */
	cut = text_format("<title>%s.service</title>%.*s\xe2\x80\xa6</text>", name, 79 * 2, name);
	expect_texts(svg, (const char *const[]){cut, NULL});
}

static void test_steps_of_no_length(void **state)
{
	_cleanup_free_ char *one = drawn("{\"steps\":[{\"step\":\"check\",\"at_us\":1000000,"
					 "\"duration_us\":0}]}");
	_cleanup_free_ char *many =
		drawn("{\"frozen_us\":1000000,\"blackout_s\":0.0,\"steps\":["
		      "{\"step\":\"freeze\",\"at_us\":1000000,\"duration_us\":0},"
		      "{\"step\":\"capture\",\"at_us\":1000000,\"duration_us\":0},"
		      "{\"step\":\"jump\",\"at_us\":1000000}]}");

	expect_texts(one, (const char *const[]){">check<", ">0 ms<", NULL});
	assert_true(box_number(one, "run", 0, "width") >= 2);
	expect_texts(many, (const char *const[]){"blackout 0 ms", ">jump<", ">-<", NULL});
	assert_int_equal(count(many, "class=\"still\""), 3);
	assert_int_equal(count(many, "class=\"blackout\""), 1);
}

static void test_what_is_missing_or_wrong(void **state)
{
	static const char *const reports[] = {
		"{}",
		"[]",
		"null",
		"{\"steps\":null,\"units\":7,\"warm_bytes\":{},\"warnings\":\"x\"}",
		"{\"steps\":[null,7,\"x\",[],{}],\"units\":[null,7,[]],\"warm_bytes\":[null,\"x\"],"
		"\"warnings\":[null,{}]}",
		"{\"steps\":[{\"step\":\"check\"},{\"at_us\":5},{\"step\":7,\"at_us\":\"x\"}]}",
		"{\"steps\":[{\"step\":\"a\",\"at_us\":9223372036854775807,"
		"\"duration_us\":9223372036854775807},{\"step\":\"b\",\"at_us\":1,"
		"\"duration_us\":-9223372036854775807}]}",
		"{\"blackout_s\":1e300,\"frozen_us\":-1,\"steps\":[{\"step\":\"freeze\"}]}",
		"{\"blackout_s\":-1,\"frozen_us\":9223372036854775807}",
		"{\"blackout_s\":3,\"frozen_us\":5,\"steps\":[{\"step\":\"check\","
		"\"at_us\":1795383901000000,\"duration_us\":5}]}",
		"{\"warm_bytes\":[-5,9223372036854775807,0]}",
	};

	for (size_t i = 0; i < sizeof(reports) / sizeof(*reports); i++) {
		_cleanup_json_ json_object *swap = json_tokener_parse(reports[i]);
		_cleanup_free_ char *svg = drawn_object(swap);

		assert_non_null(strstr(svg, "<title>Swap -: -</title>"));
	}
}

static void test_no_steps(void **state)
{
	_cleanup_free_ char *svg = drawn("{\"id\":\"x\",\"state\":\"failed\",\"blackout_s\":null}");

	expect_texts(svg, (const char *const[]){">The steps are not recorded<", "no blackout",
						"When it was is not known", NULL});
}

static void test_called_off(void **state)
{
	_cleanup_free_ char *svg =
		drawn("{\"id\":\"x\",\"from\":\"6.12\",\"to\":\"7.3\",\"state\":\"called-off\","
		      "\"error\":\"capture: no space\",\"frozen_us\":2000000,\"blackout_s\":0.5,"
		      "\"steps\":[{\"step\":\"settle\",\"at_us\":1000000,\"duration_us\":1000000},"
		      "{\"step\":\"freeze\",\"at_us\":2000000,\"duration_us\":100000},"
		      "{\"step\":\"capture\",\"at_us\":2100000,\"duration_us\":500000}],"
		      "\"units\":[{\"unit\":\"a.service\",\"outcome\":null}]}");

	expect_texts(svg,
		     (const char *const[]){">Outcome: called-off<", ">Why: capture: no space<",
					   "blackout 500 ms", ">goes on<", ">a.service<", NULL});
	assert_null(strstr(svg, ">jump<"));
}

/* There and back: three steps are there twice, and the first way there is in the blackout too. */
static void test_returned(void **state)
{
	_cleanup_free_ char *svg =
		drawn("{\"id\":\"x\",\"state\":\"returned\",\"error\":\"land: no disk\","
		      "\"frozen_us\":2000000,\"blackout_s\":6,\"steps\":["
		      "{\"step\":\"check\",\"at_us\":1000000,\"duration_us\":1000000},"
		      "{\"step\":\"jump\",\"at_us\":2000000,\"duration_us\":2000000},"
		      "{\"step\":\"land\",\"at_us\":4000000,\"duration_us\":500000},"
		      "{\"step\":\"jump\",\"at_us\":4500000,\"duration_us\":2000000},"
		      "{\"step\":\"land\",\"at_us\":6500000,\"duration_us\":500000},"
		      "{\"step\":\"restore\",\"at_us\":7000000,\"duration_us\":1000000},"
		      "{\"step\":\"adopt\",\"at_us\":8000000,\"duration_us\":1000000}],"
		      "\"units\":[{\"unit\":\"a.service\",\"outcome\":\"carried\"}]}");

	assert_int_equal(count(svg, ">jump<"), 2);
	assert_int_equal(count(svg, ">land<"), 2);
	expect_texts(svg, (const char *const[]){">Outcome: returned<", ">Why: land: no disk<",
						"blackout 6.0 s", NULL});
	/* It is most of the swap: it needs no enlarging. */
	assert_null(strstr(svg, "enlarged"));
}

/* A report of before there was "frozen_us", and one of a swap whose end nobody saw. */
static void test_blackout_half_known(void **state)
{
	static const char steps[] = "\"steps\":[{\"step\":\"check\",\"at_us\":1000000,"
				    "\"duration_us\":1000000},{\"step\":\"freeze\",\"at_us\":"
				    "2000000,\"duration_us\":1000000}]";
	_cleanup_free_ char *old = text_format("{\"blackout_s\":1,%s}", steps);
	_cleanup_free_ char *open =
		text_format("{\"blackout_s\":null,\"frozen_us\":2500000,%s}", steps);
	_cleanup_free_ char *old_svg = drawn(old), *open_svg = drawn(open);

	assert_true(box_number(old_svg, "blackout", 0, "x") ==
		    box_number(old_svg, "still", 0, "x"));
	expect_texts(open_svg,
		     (const char *const[]){"the length of the blackout is not known", NULL});
	assert_int_equal(count(open_svg, "class=\"blackout\""), 0);
}

/* Called off by a hook in the step that freezes, before the first program was frozen. */
static void test_nothing_frozen(void **state)
{
	_cleanup_free_ char *svg =
		drawn("{\"id\":\"x\",\"state\":\"called-off\",\"blackout_s\":null,\"steps\":["
		      "{\"step\":\"settle\",\"at_us\":1000000,\"duration_us\":1000000},"
		      "{\"step\":\"freeze\",\"at_us\":2000000,\"duration_us\":100000}]}");

	expect_texts(svg, (const char *const[]){"; no blackout<", ">freeze<", NULL});
	assert_int_equal(count(svg, "class=\"still\""), 0);
	assert_int_equal(count(svg, "class=\"blackout\""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scanner),
		cmocka_unit_test(test_all_of_a_swap),
		cmocka_unit_test(test_where_bars_are),
		cmocka_unit_test(test_hostile_texts),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_steps_of_no_length),
		cmocka_unit_test(test_what_is_missing_or_wrong),
		cmocka_unit_test(test_no_steps),
		cmocka_unit_test(test_called_off),
		cmocka_unit_test(test_returned),
		cmocka_unit_test(test_blackout_half_known),
		cmocka_unit_test(test_nothing_frozen),
	};

	/* For what a character is. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
