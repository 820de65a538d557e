/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of states and of fault points against the source, and against doc/failure.md. */
#include "swap/faults.h"

#include <ctype.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "test.h"

#define SOURCE SOURCE_ROOT "/src"

static size_t occurrences(const char *text, const char *part)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
		n++;
	return n;
}

/* What is written in the source for a point: steps and transitions make their names of the state's.
 */
static char *point_literal(const FaultPoint *point)
{
	if (strcmp(point->function, "step_run") == 0)
		return strdup("fault_point(swap_states[step->state].name");
	if (strcmp(point->function, "transition_visit") == 0)
		return strdup("\"journal-%s\"");
	return text_format("\"%s\"", point->name);
}

/* The function, or the table, that `at` lies in: the last line before it that begins in the first
 * column and names something. */
static bool lies_in(const char *text, size_t at, const char *function)
{
	for (;; at--) {
		while (at > 0 && text[at - 1] != '\n')
			at--;
		if (isalpha((unsigned char)text[at])) {
			_cleanup_free_ char *line = strndup(text + at, strcspn(text + at, "\n"));

			return strstr(line, function) != NULL;
		}
		/* A table is named after the closing of its type. */
		if (text[at] == '}' && text[at + 1] == ' ')
			return strncmp(text + at + 2, function, strlen(function)) == 0;
		if (at == 0)
			return false;
	}
}

static void place_check(const FaultPoint *point)
{
	_cleanup_free_ char *path = text_format(SOURCE "/%s", point->file), *text = NULL;
	_cleanup_free_ char *literal = point_literal(point);
	size_t n;

	assert_int_equal(file_read(AT_FDCWD, path, &text, NULL, NULL), 0);
	n = occurrences(text, literal);
	if (n != 1 || !strstr(text, "fault_point("))
		fail_msg("%s is placed %zu times in %s", point->name, n, point->file);
	if (!lies_in(text, (size_t)(strstr(text, literal) - text), point->function))
		fail_msg("%s is not in %s() of %s", point->name, point->function, point->file);
}

static void test_points_are_placed(void **state)
{
	for (size_t i = 0; i < fault_points_n; i++)
		place_check(&fault_points[i]);
}

static bool is_listed(const char *name, size_t size)
{
	for (size_t i = 0; i < fault_points_n; i++)
		if (strlen(fault_points[i].name) == size &&
		    memcmp(fault_points[i].name, name, size) == 0)
			return true;
	/* Not a failure: it holds up what is waited for, see lazy.c. */
	return size == strlen("memory-bring") && memcmp(name, "memory-bring", size) == 0;
}

static void calls_check(const char *path)
{
	static const char call[] = "fault_point(\"";
	_cleanup_free_ char *text = NULL;

	assert_int_equal(file_read(AT_FDCWD, path, &text, NULL, NULL), 0);
	for (const char *at = text; (at = strstr(at, call));) {
		size_t size;

		at += strlen(call);
		size = strcspn(at, "\"");
		if (!is_listed(at, size))
			fail_msg("%s has the fault point %.*s, which is not listed", path,
				 (int)size, at);
	}
}

static void test_placed_points_are_listed(void **state)
{
	char *const roots[] = {(char *)SOURCE, NULL};
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	const FTSENT *entry;
	size_t files = 0;

	assert_non_null(tree);
	while ((entry = fts_read(tree)))
		if (entry->fts_info == FTS_F && text_has_suffix(entry->fts_name, ".c")) {
			calls_check(entry->fts_path);
			files++;
		}
	(void)fts_close(tree);
	assert_true(files > 50);
}

static void test_points_are_sound(void **state)
{
	for (size_t i = 0; i < fault_points_n; i++) {
		const FaultPoint *point = &fault_points[i];

		assert_true(point->kinds != 0 && point->kinds < 1U << FAULT_KINDS);
		assert_true(i == 0 || point->step >= fault_points[i - 1].step);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(point->name, fault_points[j].name);
	}
}

static void expect_end(const char *name, FaultKind kind, FaultEnd end)
{
	for (size_t i = 0; i < fault_points_n; i++)
		if (strcmp(fault_points[i].name, name) == 0) {
			assert_int_equal(fault_end(&fault_points[i], kind), end);
			return;
		}
	fail_msg("there is no point %s", name);
}

/* Whole captures on a disk outlive the machine, until the programs run again. */
static void test_ends_of_the_machine(void **state)
{
	expect_end("capture", FAULT_POWER, END_AFRESH);
	expect_end("jump", FAULT_POWER, END_RETURNED);
	expect_end("jump", FAULT_CRASH, END_CALLED_OFF);
	expect_end("land-handover", FAULT_PANIC, END_RETURNED);
	expect_end("restore-units", FAULT_CRASH, END_RETURNED);
	expect_end("restore-thaw", FAULT_POWER, END_RETURNED);
	expect_end("boot-jump", FAULT_POWER, END_AFRESH);
	expect_end("adopt", FAULT_POWER, END_AFRESH);
	expect_end("confirm", FAULT_PANIC, END_AFRESH);
	expect_end("confirm", FAULT_CRASH, END_STAYED);
}

static void test_every_step_and_kind_has_points(void **state)
{
	unsigned kinds = 0, steps = 0;

	for (size_t i = 0; i < fault_points_n; i++) {
		kinds |= fault_points[i].kinds;
		steps |= 1U << fault_points[i].step;
	}
	assert_int_equal(kinds, (1U << FAULT_KINDS) - 1);
	assert_int_equal(steps & ((1U << SWAP_DONE) - 1), (1U << SWAP_DONE) - 1);
}

/* ---- doc/failure.md ---- */

static void states_print(FILE *f)
{
	(void)fprintf(
		f, "| state | on disk | in RAM | in the kernel | in systemd | who finds it after "
		   "a crash |\n|---|---|---|---|---|---|\n");
	for (int i = 0; i < SWAP_STATES; i++) {
		const SwapStateInfo *s = &swap_states[i];

		(void)fprintf(f, "| %s | %s | %s | %s | %s | %s |\n", s->name, s->on_disk,
			      s->in_ram, s->in_kernel, s->in_systemd, s->recovery);
	}
}

static void points_print(FILE *f)
{
	(void)fprintf(f, "| step | point | kinds | ends |\n|---|---|---|---|\n");
	for (size_t i = 0; i < fault_points_n; i++) {
		const FaultPoint *point = &fault_points[i];
		const char *separator = "";

		(void)fprintf(f, "| %s | %s | ", swap_states[point->step].name, point->name);
		for (int kind = 0; kind < FAULT_KINDS; kind++)
			if (point->kinds & 1U << kind) {
				(void)fprintf(f, "%s%s", separator, fault_kinds[kind]);
				separator = ", ";
			}
		(void)fprintf(f, " | %s |\n", fault_ends[point->end]);
	}
}

static void expect_in_document(void (*print)(FILE *f))
{
	_cleanup_free_ char *text = NULL, *table = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&table, &size);

	assert_non_null(f);
	print(f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(file_read(AT_FDCWD, SOURCE_ROOT "/doc/failure.md", &text, NULL, NULL), 0);
	if (!strstr(text, table))
		fail_msg("doc/failure.md does not have this table; put it there%s",
			 fputs(table, stdout) < 0 ? "" : " (above)");
}

static void test_document_has_the_states(void **state)
{
	expect_in_document(states_print);
}

static void test_document_has_the_points(void **state)
{
	expect_in_document(points_print);
}

static void test_states_are_whole(void **state)
{
	for (int i = 0; i < SWAP_STATES; i++) {
		const SwapStateInfo *s = &swap_states[i];

		assert_true(s->name && s->doing && s->on_disk && s->in_ram && s->in_kernel &&
			    s->in_systemd && s->recovery);
		assert_int_equal(swap_state_by_name(s->name), i);
		assert_int_equal(s->end, i >= SWAP_DONE);
	}
	assert_int_equal(swap_state_by_name("flying"), -1);
}

static void test_description(void **state)
{
	_cleanup_json_ json_object *list = faults_describe();
	size_t pairs = 0;

	for (size_t i = 0; i < fault_points_n; i++)
		pairs += (size_t)__builtin_popcount(fault_points[i].kinds);
	assert_int_equal(json_length(list), pairs);
	assert_true(pairs >= 60);
	for (size_t i = 0; i < pairs; i++) {
		json_object *o = json_object_array_get_idx(list, i);

		assert_true(*json_opt_string(o, "name", "") && *json_opt_string(o, "step", "") &&
			    *json_opt_string(o, "kind", "") && *json_opt_string(o, "end", ""));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states_are_whole),
		cmocka_unit_test(test_points_are_placed),
		cmocka_unit_test(test_placed_points_are_listed),
		cmocka_unit_test(test_points_are_sound),
		cmocka_unit_test(test_ends_of_the_machine),
		cmocka_unit_test(test_every_step_and_kind_has_points),
		cmocka_unit_test(test_document_has_the_states),
		cmocka_unit_test(test_document_has_the_points),
		cmocka_unit_test(test_description),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
