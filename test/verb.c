/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verbs against what is written elsewhere: manual pages and completion. */
#include "cli/verb.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "test.h"

static char *source(const char *path)
{
	_cleanup_free_ char *full = text_format("%s/%s", SOURCE_ROOT, path);
	char *text = NULL;
	Error err = {0};

	if (file_read(AT_FDCWD, full, &text, NULL, &err) < 0)
		fail_msg("%s", err.text);
	return text;
}

/* Whether `word` is in the text as a word of its own. */
static bool has_word(const char *text, const char *word)
{
	static const char inside[] = "abcdefghijklmnopqrstuvwxyz-";
	size_t n = strlen(word);

	for (const char *p = text; (p = strstr(p, word)); p++) {
		if ((p == text || !strchr(inside, p[-1])) && (!p[n] || !strchr(inside, p[n])))
			return true;
	}
	return false;
}

static void test_table(void **state)
{
	for (size_t i = 0; verbs[i]; i++) {
		assert_ptr_equal(verb_find(verbs[i]->name), verbs[i]);
		assert_non_null(verbs[i]->options);
		assert_non_null(verbs[i]->arguments);
		assert_true(verbs[i]->summary[strlen(verbs[i]->summary) - 1] != '.');
	}
	assert_null(verb_find("nonsense"));
}

/* From where `begin` is to the next macro that begins another part; all of it for a verb of one
 * word, whose page has no other. */
static char *page_part(const char *page, const Verb *verb, const char *macro)
{
	_cleanup_free_ char *label = text_format("\n%s%s\n", macro, verb->name);
	const char *begin = strstr(page, label), *end;

	if (!strchr(verb->name, ' '))
		return strdup(page);
	if (!begin) {
		fail_msg("The manual page has no %s%s", macro, verb->name);
		return NULL;
	}
	for (end = begin + strlen(label); *end; end++)
		if (text_has_prefix(end, "\n.Nm") || text_has_prefix(end, "\n.Ss") ||
		    text_has_prefix(end, "\n.Sh"))
			break;
	return strndup(begin, (size_t)(end - begin));
}

static void test_manual_pages(void **state)
{
	_cleanup_free_ char *overview = source("doc/segue.8");

	for (size_t i = 0; verbs[i]; i++) {
		const Verb *verb = verbs[i];
		_cleanup_free_ char *path =
			text_format("doc/segue-%.*s.8", (int)strcspn(verb->name, " "), verb->name);
		_cleanup_free_ char *line = text_format(".It Cm %s\n", verb->name);
		_cleanup_free_ char *page = source(path);
		_cleanup_free_ char *synopses = page_part(page, verb, ".Nm segue ");
		_cleanup_free_ char *list = page_part(page, verb, ".Ss ");

		if (!strstr(overview, line))
			fail_msg("doc/segue.8 does not list %s", verb->name);
		if (!strstr(page, ".Sh EXAMPLES"))
			fail_msg("%s has no example", path);
		for (const VerbOption *option = verb->options; option->name; option++) {
			_cleanup_free_ char *flag = text_format(".It Fl -%s", option->name);
			_cleanup_free_ char *synopsis = text_format(" Fl -%s", option->name);

			if (!strstr(list, flag) || !strstr(synopses, synopsis))
				fail_msg("%s does not have --%s of %s in its synopsis and list",
					 path, option->name, verb->name);
		}
	}
}

/* The part of a completion that is for one verb: from its label to the next ";;". */
static char *completion_part(const char *text, const char *verb)
{
	const char *quote = strchr(verb, ' ') ? "\"" : "";
	_cleanup_free_ char *label = text_format("\n\t%s%s%s)", quote, verb, quote);
	/* The labels of later, smaller switches are indented more. */
	const char *begin = strstr(text, label);
	const char *end = begin ? strstr(begin, ";;") : NULL;

	if (!begin || !end) {
		fail_msg("There is no completion for %s", verb);
		return NULL;
	}
	return strndup(begin, (size_t)(end - begin));
}

static void test_completion_of(const char *path)
{
	_cleanup_free_ char *text = source(path);

	for (size_t i = 0; verbs[i]; i++) {
		_cleanup_free_ char *part = completion_part(text, verbs[i]->name);
		size_t known = 1, found = 0;

		for (const VerbOption *option = verbs[i]->options; option->name; option++) {
			_cleanup_free_ char *flag = text_format("--%s", option->name);

			known++;
			if (!has_word(part, flag))
				fail_msg("%s: %s does not complete %s", path, verbs[i]->name, flag);
		}
		if (!has_word(part, "--help"))
			fail_msg("%s: %s does not complete --help", path, verbs[i]->name);
		for (const char *p = part; (p = strstr(p, "--")); p += 2)
			found++;
		if (found != known)
			fail_msg("%s: %s completes %zu options, but has %zu", path, verbs[i]->name,
				 found, known);
	}
}

/* What completes the second word of a verb. */
static char *completion_group(const char *text, const char *word, bool wanted)
{
	_cleanup_free_ char *label = text_format("\n\t\t%s) words=", word);
	const char *begin = strstr(text, label);

	if (!wanted || !begin)
		return strdup("");
	return strndup(begin + strlen(label), strcspn(begin + strlen(label), "\n"));
}

static void test_bash_completion(void **state)
{
	_cleanup_free_ char *text = source("completion/segue.bash");
	const char *list = strstr(text, "words=\"keep");

	test_completion_of("completion/segue.bash");
	assert_non_null(list);
	for (size_t i = 0; verbs[i]; i++) {
		const char *second = strchr(verbs[i]->name, ' ');
		_cleanup_free_ char *first = strndup(verbs[i]->name, strcspn(verbs[i]->name, " "));
		_cleanup_free_ char *group = completion_group(text, first, second != NULL);

		if (!has_word(list, first) || (second && !has_word(group, second + 1)))
			fail_msg("bash does not complete the verb %s", verbs[i]->name);
	}
}

static void test_zsh_completion(void **state)
{
	_cleanup_free_ char *text = source("completion/_segue");

	test_completion_of("completion/_segue");
	for (size_t i = 0; verbs[i]; i++) {
		const char *second = strchr(verbs[i]->name, ' ');
		_cleanup_free_ char *line = text_format(
			"'%s:%s'", second ? second + 1 : verbs[i]->name, verbs[i]->summary);

		if (!strstr(text, line))
			fail_msg("zsh does not complete %s", line);
	}
}

static VerbArguments seen;
static char seen_text[256];

static int record(const VerbArguments *arguments)
{
	seen = *arguments;
	seen_text[0] = '\0';
	for (size_t i = 0; i < arguments->n_given; i++)
		(void)snprintf(seen_text + strlen(seen_text), sizeof(seen_text) - strlen(seen_text),
			       "%s=%s ", arguments->given[i].option->name,
			       arguments->given[i].value);
	for (int i = 0; i < arguments->n_positional; i++)
		(void)snprintf(seen_text + strlen(seen_text), sizeof(seen_text) - strlen(seen_text),
			       "%s ", arguments->positional[i]);
	return STATUS_DONE;
}

static void test_verbs_of_two_words(void **state)
{
	char create[] = "create", release[] = "release", list[] = "list", none[] = "none";
	char *const two[] = {release, create, list}, *const one[] = {list, create},
		    *const group[] = {release}, *const wrong[] = {release, none},
		    *const unknown[] = {none};
	int used, status = -1;

	assert_ptr_equal(verb_match(3, two, &used, &status), &verb_release_create);
	assert_int_equal(used, 2);
	assert_ptr_equal(verb_match(2, one, &used, &status), &verb_list);
	assert_int_equal(used, 1);
	assert_int_equal(status, -1);
	assert_null(verb_match(1, group, &used, &status));
	assert_int_equal(status, STATUS_USAGE);
	assert_null(verb_match(2, wrong, &used, &status));
	assert_int_equal(status, STATUS_USAGE);
	assert_null(verb_match(1, unknown, &used, &status));
	assert_int_equal(status, STATUS_USAGE);
}

static int parse(bool command, int max, char *a, char *b, char *c)
{
	Verb verb = {
		.name = "test",
		.arguments = "X",
		.summary = "Test",
		.options = (const VerbOption[]){{"flag", NULL, ""}, {"value", "V", ""}, {0}},
		.arguments_min = command,
		.arguments_max = max,
		.command = command,
		.run = record,
	};
	char name[] = "test";
	char *argv[] = {name, a, b, c, NULL};
	int argc = 1;

	while (argv[argc])
		argc++;
	optind = 0;
	return verb_main(&verb, argc, argv);
}

static char flag[] = "--flag", value[] = "--value", value_is[] = "--value=7", x[] = "x",
	    dashes[] = "--", other[] = "--other";

static void test_command_lines(void **state)
{
	assert_int_equal(parse(false, -1, x, flag, value_is), STATUS_DONE);
	assert_string_equal(seen_text, "flag= value=7 x ");
	assert_int_equal(parse(false, -1, value, x, flag), STATUS_DONE);
	assert_string_equal(seen_text, "value=x flag= ");
	assert_int_equal(parse(true, -1, dashes, x, other), STATUS_DONE);
	assert_string_equal(seen_text, "x --other ");
	assert_int_equal(parse(true, -1, flag, x, other), STATUS_DONE);
	assert_string_equal(seen_text, "flag= x --other ");
}

static void test_wrong_command_lines(void **state)
{
	assert_int_equal(parse(false, -1, other, NULL, NULL), STATUS_USAGE);
	assert_int_equal(parse(false, -1, value, NULL, NULL), STATUS_USAGE);
	assert_int_equal(parse(false, 1, x, x, NULL), STATUS_USAGE);
	assert_int_equal(parse(true, -1, flag, NULL, NULL), STATUS_USAGE);
}

static void test_short_options(void **state)
{
	char help[] = "-h", many[] = "-xy", given[] = "--flag=1";

	*seen_text = '\0';
	assert_int_equal(parse(false, -1, help, NULL, NULL), STATUS_DONE);
	assert_int_equal(parse(true, -1, x, help, NULL), STATUS_DONE);
	assert_string_equal(seen_text, "x -h ");
	assert_int_equal(parse(false, -1, flag, many, NULL), STATUS_USAGE);
	assert_int_equal(parse(false, -1, given, NULL, NULL), STATUS_USAGE);
}

static void test_exit_statuses(void **state)
{
	static const struct {
		int code, status;
	} statuses[] = {
		{-ECANCELED, 3}, {-EBUSY, 6}, {-EACCES, 7}, {-ECONNREFUSED, 8}, {-EIO, 1},
	};

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		assert_int_equal(verb_fail(&(Error){.code = statuses[i].code, .text = "test"}),
				 statuses[i].status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_manual_pages),
		cmocka_unit_test(test_bash_completion),
		cmocka_unit_test(test_zsh_completion),
		cmocka_unit_test(test_command_lines),
		cmocka_unit_test(test_wrong_command_lines),
		cmocka_unit_test(test_short_options),
		cmocka_unit_test(test_exit_statuses),
		cmocka_unit_test(test_verbs_of_two_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
