/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verb.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define HELP_COLUMN 26
#define VERB_COLUMN 16

/* Of long options, as getopt tells them: above all characters. */
#define OPTION_FIRST 256

const Verb *const verbs[] = {
	&verb_keep,
	&verb_unkeep,
	&verb_list,
	&verb_run,
	&verb_check,
	&verb_swap,
	&verb_install,
	&verb_watch,
	&verb_status,
	&verb_log,
	&verb_return,
	&verb_release_create,
	&verb_release_sign,
	&verb_release_verify,
	&verb_release_list,
	&verb_release_show,
	&verb_release_rm,
	&verb_key_new,
	&verb_key_show,
	&verb_trust_new,
	&verb_trust_sign,
	&verb_trust_show,
	&verb_rollout_start,
	&verb_rollout_status,
	&verb_rollout_pause,
	&verb_rollout_resume,
	&verb_rollout_abort,
	&verb_rollout_plan,
	&verb_rollout_simulate,
	&verb_hub_init,
	&verb_hub_token,
	&verb_hub_operator,
	&verb_hub_channel,
	&verb_hub_audit,
	&verb_hub_status,
	&verb_hub_backup,
	&verb_hub_restore,
	&verb_nodes,
	&verb_node_show,
	&verb_node_swap,
	&verb_node_stage,
	&verb_node_cancel,
	&verb_node_revoke,
	&verb_why,
	&verb_push,
	&verb_join,
	&verb_leave,
	&verb_help,
	NULL,
};

const Verb *verb_find(const char *name)
{
	for (size_t i = 0; verbs[i]; i++) {
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	}
	return NULL;
}

/* The second word of a verb whose first is `word`; NULL if it has another. */
static const char *second_word(const Verb *verb, const char *word)
{
	size_t n = strlen(word);

	return !strncmp(verb->name, word, n) && verb->name[n] == ' ' ? verb->name + n + 1 : NULL;
}

/* The verbs that begin with a word; false: there are none. */
static bool print_group(FILE *to, const char *word, const char *separator)
{
	bool found = false;

	for (size_t i = 0; verbs[i]; i++) {
		const char *second = second_word(verbs[i], word);

		if (second && to)
			(void)fprintf(to, "%s%s", found ? separator : "", second);
		found = found || second;
	}
	return found;
}

static void print_group_help(const char *word)
{
	(void)printf("Usage: segue %s VERB [OPTION...] [ARGUMENT...]\n\nVerbs:\n", word);
	for (size_t i = 0; verbs[i]; i++)
		if (second_word(verbs[i], word))
			(void)printf("  %-*s %s\n", VERB_COLUMN, verbs[i]->name, verbs[i]->summary);
	(void)printf("\nSee segue-%s(8).\n", word);
}

const Verb *verb_match(int n_words, char *const words[], int *ret_used, int *ret_status)
{
	const Verb *verb = verb_find(words[0]);

	*ret_used = 1;
	if (verb)
		return verb;
	for (size_t i = 0; verbs[i] && n_words > 1; i++) {
		const char *second = second_word(verbs[i], words[0]);

		*ret_used = 2;
		if (second && !strcmp(second, words[1]))
			return verbs[i];
	}
	if (!print_group(NULL, words[0], "")) {
		*ret_status = verb_usage("", "\"%s\" is not a verb", words[0]);
	} else if (n_words > 1 && !strcmp(words[1], "--help")) {
		print_group_help(words[0]);
		*ret_status = STATUS_DONE;
	} else {
		*ret_status = STATUS_USAGE;
		(void)fprintf(stderr,
			      "segue: \"%s%s%s\" is not a verb; %s goes on with one of: ", words[0],
			      n_words > 1 ? " " : "", n_words > 1 ? words[1] : "", words[0]);
		(void)print_group(stderr, words[0], ", ");
		(void)fprintf(stderr, "\n");
	}
	return NULL;
}

const char *verb_option(const VerbArguments *arguments, const char *name)
{
	for (size_t i = arguments->n_given; i > 0; i--) {
		if (!strcmp(arguments->given[i - 1].option->name, name))
			return arguments->given[i - 1].value;
	}
	return NULL;
}

static void print_option(const char *name, const char *argument, const char *help)
{
	int n = printf("  --%s%s%s", name, argument ? " " : "", argument ? argument : "");

	(void)printf("%*s%s\n", n < HELP_COLUMN ? HELP_COLUMN - n : 1, "", help);
}

void verb_print_help(const Verb *verb)
{
	(void)printf("Usage: segue %s [OPTION...]%s%s\n%s.\n\nOptions:\n", verb->name,
		     *verb->arguments ? " " : "", verb->arguments, verb->summary);
	for (const VerbOption *option = verb->options; option->name; option++)
		print_option(option->name, option->argument, option->help);
	print_option("help", NULL, "show this");
	(void)printf("\nSee segue-%.*s(8).\n", (int)strcspn(verb->name, " "), verb->name);
}

void verb_print_overview(void)
{
	(void)printf("Usage: segue VERB [OPTION...] [ARGUMENT...]\n"
		     "Moves this machine onto a new kernel while its programs keep running.\n\n"
		     "Verbs:\n");
	for (size_t i = 0; verbs[i]; i++)
		(void)printf("  %-*s %s\n", VERB_COLUMN, verbs[i]->name, verbs[i]->summary);
	(void)printf("\nOptions:\n");
	print_option("help", NULL, "show this, or what a verb does: segue VERB --help");
	print_option("version", NULL, "show the version");
	(void)printf("\nSee segue(8).\n");
}

int verb_usage(const char *verb, const char *fmt, ...)
{
	va_list ap;

	(void)fprintf(stderr, "segue: ");
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "; see: segue %s%s--help\n", verb, *verb ? " " : "");
	return STATUS_USAGE;
}

static const struct {
	int code, status;
} statuses[] = {
	{-ECANCELED, STATUS_REFUSED},
	{-EBUSY, STATUS_BUSY},
	{-EACCES, STATUS_NOT_PERMITTED},
	{-ECONNREFUSED, STATUS_NOT_REACHABLE},
};

int verb_fail(const Error *err)
{
	(void)fprintf(stderr, "segue: %s\n", err->text);
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		if (statuses[i].code == err->code)
			return statuses[i].status;
	}
	return STATUS_FAILED;
}

static size_t option_count(const Verb *verb)
{
	size_t n = 0;

	while (verb->options[n].name)
		n++;
	return n;
}

/* In the form that getopt wants; the value is the index, from OPTION_FIRST on. */
static struct option *options_for_getopt(const Verb *verb, size_t n)
{
	struct option *options = calloc(n + 2, sizeof(*options));

	if (!options)
		return NULL;
	for (size_t i = 0; i < n; i++)
		options[i] = (struct option){
			.name = verb->options[i].name,
			.has_arg = verb->options[i].argument ? required_argument : no_argument,
			.val = OPTION_FIRST + (int)i,
		};
	options[n] = (struct option){.name = "help", .val = OPTION_FIRST + (int)n};
	return options;
}

/* `word`: the last that getopt has done with.  A short option may be within one that it has not.
 * optopt is 0 if there is no such long option, and the option's value if it was given one. */
static int option_wrong(const Verb *verb, const char *word)
{
	if (optopt == 0)
		return verb_usage(verb->name, "%s: \"%s\" is no option of it", verb->name, word);
	if (optopt >= OPTION_FIRST)
		return verb_usage(verb->name, "%s: \"%s\": this option takes no value", verb->name,
				  word);
	return verb_usage(verb->name, "%s: \"-%c\" is no option of it", verb->name, optopt);
}

static int check_positional(const VerbArguments *arguments)
{
	const Verb *verb = arguments->verb;

	if (arguments->n_positional < verb->arguments_min)
		return verb_usage(verb->name, "%s: %s is missing", verb->name, verb->arguments);
	if (verb->arguments_max >= 0 && arguments->n_positional > verb->arguments_max)
		return verb_usage(verb->name, "%s: \"%s\" is too much", verb->name,
				  arguments->positional[verb->arguments_max]);
	return STATUS_DONE;
}

int verb_main(const Verb *verb, int argc, char *argv[])
{
	VerbArguments arguments = {.verb = verb};
	size_t n = option_count(verb);
	_cleanup_free_ struct option *options = options_for_getopt(verb, n);
	_cleanup_free_ void *given = calloc((size_t)argc, sizeof(*arguments.given));
	int c, status;

	if (!options || !given)
		return verb_fail(&(Error){.code = -ENOMEM, .text = "Out of memory"});
	arguments.given = given;
	opterr = 0;
	/* The one thread that there is. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	while ((c = getopt_long(argc, argv, verb->command ? "+:h" : ":h", options, NULL)) >= 0) {
		if (c == '?')
			return option_wrong(verb, argv[optind - 1]);
		if (c == ':')
			return verb_usage(verb->name, "%s: %s needs a value", verb->name,
					  argv[optind - 1]);
		if (c == 'h' || c == OPTION_FIRST + (int)n) {
			verb_print_help(verb);
			return STATUS_DONE;
		}
		arguments.given[arguments.n_given].option = &verb->options[c - OPTION_FIRST];
		arguments.given[arguments.n_given++].value = optarg ? optarg : "";
	}
	arguments.positional = argv + optind;
	arguments.n_positional = argc - optind;
	status = check_positional(&arguments);
	return status == STATUS_DONE ? verb->run(&arguments) : status;
}
